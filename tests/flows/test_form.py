"""The deployments' forms as their users have them: untouched, one field changed, a recipe chosen, a wrong value."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from flows.adapt import RUNNABLE as ADAPT
from flows.compress import RUNNABLE as COMPRESS
from flows.configs.adapt import AdaptFlowConfig
from flows.configs.compress import CompressFlowConfig
from flows.configs.data import DataFlowConfig
from flows.configs.distill_lm import DistillLmFlowConfig
from flows.configs.end_to_end import EndToEndConfig
from flows.configs.flow_config import FlowConfig
from flows.configs.pretrain import PretrainFlowConfig
from flows.data import RUNNABLE as DATA
from flows.distill_lm import RUNNABLE as DISTILL_LM
from flows.end_to_end import RUNNABLE as END_TO_END
from flows.pretrain import RUNNABLE as PRETRAIN
from infra.cli.flow_run import RunnableFlow
from tests.flows.form_page import FormPage, form_page
from tests.security.prefect_up import PROJECT, answered, client, ended, post, running_up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SHIPPED: dict[str, tuple[RunnableFlow[Any, Any, Any], type[FlowConfig]]] = {
    "adapt": (ADAPT, AdaptFlowConfig),
    "data": (DATA, DataFlowConfig),
    "distill-lm": (DISTILL_LM, DistillLmFlowConfig),
    "nightly": (END_TO_END, EndToEndConfig),
    "pretrain": (PRETRAIN, PretrainFlowConfig),
    "search": (COMPRESS, CompressFlowConfig),
}
ENDS = {
    "adapt": "Completed", "data": "Completed", "distill-lm": "Completed", "nightly": "Not released", "pretrain": "Completed",
    "search": "Not released",
}  # fmt: skip
# What the forms have in common with no other: labels and a split of rows with labels, or a share of files of code.
SHARE = dict.fromkeys(SHIPPED, "Test share") | {"pretrain": "File share"}
FIELD = dict.fromkeys(SHIPPED, ("Min rows per label", 4)) | {"pretrain": ("Context", 64)}
# Runs to their end, by a worker, are the drill's, not CI's.
WHOLE = [
    pytest.param("adapt", id="adapt", marks=pytest.mark.whole_runs),
    pytest.param("data", id="data", marks=pytest.mark.whole_runs),
    pytest.param("distill-lm", id="distill_lm", marks=pytest.mark.whole_runs),
    pytest.param("nightly", id="end_to_end", marks=pytest.mark.whole_runs),
    pytest.param("pretrain", id="pretrain", marks=pytest.mark.whole_runs),
    pytest.param("search", id="compress", marks=pytest.mark.whole_runs),
]


@dataclass(frozen=True)
class Forms:
    """Prefect's UI in a browser, and its API; `smoke` are deployments that differ from the shipped ones by their recipe."""

    page: FormPage
    http: httpx.Client
    shipped: dict[str, str]
    smoke: dict[str, str]

    def runs(self, deployment: str) -> list[dict[str, Any]]:
        """The newest first."""
        asked = {"deployments": {"id": {"any_": [deployment]}}, "sort": "EXPECTED_START_TIME_DESC"}
        found: list[dict[str, Any]] = post(self.http, "flow_runs/filter", asked)
        return [run for run in found if not run["auto_scheduled"]]

    def newest(self, deployment: str) -> dict[str, Any]:
        """The end of the run that the form asked for last."""
        return ended(self.http, self.runs(deployment)[0]["id"])


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forms]:
    with (
        running_up(tmp_path_factory.mktemp("forms")) as up,
        client(up.url, up.login) as http,
        form_page(up.url.removesuffix("/api"), up.login) as page,
    ):
        found = {one["name"]: one for one in post(http, "deployments/filter", {})}
        kept = ("flow_id", "entrypoint", "work_pool_name", "parameter_openapi_schema")
        smoke = {}
        for name in SHIPPED:
            asked = {field: found[name][field] for field in kept}
            asked |= {"name": f"{name}-smoke", "path": str(PROJECT), "enforce_parameter_schema": True,
                      "parameters": {"config": {"recipe": "smoke"}}}  # fmt: skip
            smoke[name] = post(http, "deployments/", asked)["id"]
        yield Forms(page, http, {name: found[name]["id"] for name in SHIPPED}, smoke)


@pytest.mark.parametrize("name", SHIPPED)
def test_an_untouched_form_asks_for_the_default_recipe(forms: Forms, name: str) -> None:
    pool = "work_pools/stillhouse"
    answered(lambda: forms.http.patch(pool, json={"is_paused": True}))
    forms.page.open(forms.shipped[name])
    forms.page.submit()
    (run,) = forms.runs(forms.shipped[name])
    answered(lambda: forms.http.delete(f"flow_runs/{run['id']}"))
    answered(lambda: forms.http.patch(pool, json={"is_paused": False}))
    runnable, config = SHIPPED[name]
    asked = runnable.flow.validate_parameters(run["parameters"])["config"]
    assert asked == config()
    assert runnable.plan(asked, False) == runnable.plan(config(), False)


@pytest.mark.parametrize("name", WHOLE)
def test_an_untouched_form_runs_its_deployments_recipe_to_its_end(forms: Forms, name: str) -> None:
    forms.page.open(forms.smoke[name])
    forms.page.submit()
    run = forms.newest(forms.smoke[name])
    assert run["state_name"] == ENDS[name], run["state"]["message"]
    assert "clinc150" in run["name"] and "smoke" in run["name"]


@pytest.mark.parametrize("name", WHOLE)
def test_one_field_and_a_recipe_that_are_given_count(forms: Forms, name: str) -> None:
    forms.page.open(forms.shipped[name])
    forms.page.choose("Recipe", "smoke")
    label, value = FIELD[name]
    forms.page.type_into(label, "int", str(value))
    forms.page.submit()
    run = forms.newest(forms.shipped[name])
    assert run["state_name"] == ENDS[name], run["state"]["message"]
    asked = SHIPPED[name][0].flow.validate_parameters(run["parameters"])["config"]
    given = asked.model.context if name == "pretrain" else asked.dataset.min_rows_per_label
    assert (asked.recipe, given) == ("smoke", value)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_wrong_value_is_refused_in_the_form(forms: Forms, name: str) -> None:
    before = len(forms.runs(forms.smoke[name]))
    forms.page.open(forms.smoke[name])
    forms.page.type_into(SHARE[name], "float", "0.9")
    assert "less than or equal to 0.4" in forms.page.submit_in_vain(SHARE[name])
    assert len(forms.runs(forms.smoke[name])) == before


@pytest.mark.whole_runs
def test_what_only_the_flow_knows_ends_the_run_at_once_with_the_field_in_its_message(forms: Forms) -> None:
    forms.page.open(forms.smoke["data"])
    forms.page.type_into("Query", "path", "nowhere.sql")
    forms.page.submit()
    run = forms.newest(forms.smoke["data"])
    assert run["state_type"] == "FAILED" and "config.extract.query" in run["state"]["message"]
    stages = post(forms.http, "task_runs/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}})
    assert [task for task in stages if task["name"].startswith("extract")] == []
