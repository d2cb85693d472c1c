"""What was learned by heart. (The domain is imported inside the stage: a hit never pays for it.)"""

from infra.engine.stage import Metrics, StageRun, stage
from tasks.evaluation.memorisation.config import MemorisationConfig
from tasks.evaluation.memorisation.section import memorisation_section
from tasks.formats.kinds import ReportRef, TokensRef
from tasks.formats.report_file import REPORT_FILE


@stage(version=1, output=ReportRef, section=memorisation_section, reads=(REPORT_FILE,))
def memorisation(
    run: StageRun, config: MemorisationConfig, tokens: TokensRef, completions: ReportRef
) -> Metrics:
    """What completions and held-out texts have word for word from the training text."""
    from tasks.evaluation.memorisation.measure import measure_memorisation

    return measure_memorisation(config, run.path(tokens), run.path(completions), run.output_dir)
