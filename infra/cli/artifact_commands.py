"""`stillhouse artifacts show | lineage | gc | push | pull`: what was computed, in this home and in the shared store."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from infra.engine.registry import check_kept_home
from infra.errors import ConfigError, StoreError, StoreUnreachable
from infra.machine.terminal import Terminal, one_line
from infra.settings import get_settings
from infra.store.artifacts import Store
from infra.store.elsewhere import elsewhere_of
from infra.store.record import Record
from infra.store.shared.sharing import open_remote

if TYPE_CHECKING:
    from infra.catalog.garbage import Garbage

PIPED_WIDTH = 250
NAMED = "file or folder (also a copied one), artifact:stage/key, owner/name, or a digest's start of 6 digits or more"
Target = Annotated[str, Parameter(help=NAMED)]

console = Terminal()
artifacts = App(name="artifacts", help="What was computed: look at it, free it, share it.")


@artifacts.command
def show(target: Target, /) -> None:
    """Say what an artifact is: its files, how it was asked for, what it measured, who made it."""
    from infra.catalog.lineage import find_record

    store = Store(get_settings())
    record = find_record(store, target)
    place = store.folder(record.stage, record.key)
    for name, value in (
        ("stage", f"{record.stage} version {record.version} ({record.kind})"),
        ("digest", record.digest),
        ("key", record.key),
        (
            "folder",
            f"{place}" if store.is_here(record) else f"{place}: its files are in the shared store alone",
        ),
        (
            "made",
            f"{record.finished[:19]}Z in {record.seconds:.1f} s, code {record.code_revision or 'unknown'}",
        ),
        ("MLflow run", record.mlflow_run_id or "none"),
        *((f"from {name}", f"{given.kind} {given.uri}") for name, given in sorted(record.inputs.items())),
        *((name, f"{value:g}") for name, value in sorted(record.metrics.items())),
    ):
        console.print(one_line((f"{name:<24} ", "dim"), value))
    for name, file in sorted(record.files.items()):
        console.print(one_line(f"{file.size / 1e6:12.3f} MB  {name}"))


@artifacts.command
def lineage(
    target: Annotated[
        str,
        Parameter(
            help=f"{NAMED}; with --down also a source that artifacts hold: repo:owner/name, licence:mit"
        ),
    ],
    /,
    *,
    down: Annotated[
        bool,
        Parameter(help="what was made of it instead, where that is published, and which stages to run anew"),
    ] = False,
) -> None:
    """Draw what an artifact was made from, down to the sources; or, with --down, all that was made of it."""
    from infra.catalog.descendants import descent, descent_tree, is_source, told
    from infra.catalog.lineage import find_record, lineage_tree
    from infra.store.shared.sharing import Sharing

    settings = get_settings()
    store = Store(settings)
    wide = Terminal(soft_wrap=False, width=None if console.is_terminal else PIPED_WIDTH)
    if not down:
        if is_source(target):
            raise ConfigError(
                f"{target} is a source, made from nothing here: expected an artifact. Add --down."
            )
        wide.print(lineage_tree(store, find_record(store, target)))
        return
    if settings.store is not None:
        Sharing(settings, store, console.print)  # what an artifact holds may be there alone
    found = descent(store, target)
    wide.print(descent_tree(store, found))
    for line in told(store, found):
        console.print(line)


@artifacts.command
def gc(
    *,
    dry_run: Annotated[bool, Parameter(help="only say what would go")] = False,
    keep_days: Annotated[
        float,
        Parameter(
            validator=Number(gte=0),
            help="days after its last use for which anything is kept, released or not; 0 or more",
        ),
    ] = 7.0,
    keep_releases: Annotated[
        int | None,
        Parameter(
            validator=Number(gte=1),
            help="newest releases of each repository that count, 1 or more; default: all",
        ),
    ] = None,
) -> None:
    """Free artifacts that no kept release reaches, and what else grows in this home; only in this home."""
    from infra.catalog.gc import find_garbage, free, unreadable

    settings = get_settings()
    for folder in unreadable(settings):
        console.print(
            f"kept: {folder.relative_to(settings.home)} has a record that this version cannot read. Use the version "
            "that wrote it, or delete the folder yourself."
        )
    garbage = find_garbage(settings, keep_days, keep_releases)
    gone = garbage if dry_run else free(settings, garbage)
    for item in garbage:
        kept = "" if item in gone else "  (in use, stays)"
        pieces = f" ({item.pieces})" if item.pieces > 1 else ""
        console.print(
            one_line(
                f"{item.size / 1e6:9.1f} MB  {item.path.relative_to(settings.home)}{pieces}  {item.why}{kept}"
            )
        )
    console.print(_freed(gone, dry_run))
    if settings.store is not None:
        console.print("Nothing is deleted in the shared store: other homes count on it.")


def _freed(gone: "Sequence[Garbage]", dry_run: bool) -> str:
    """How much, and of what kind."""
    sizes: dict[str, int] = {}
    for item in gone:
        sizes[item.kind] = sizes.get(item.kind, 0) + item.size
    kinds = ", ".join(f"{kind} {size / 1e6:.1f}" for kind, size in sizes.items())
    freed = f"{'Would free' if dry_run else 'Freed'} {sum(sizes.values()) / 1e6:.1f} MB"
    total = f"{freed} in {len(gone)} folders"
    return f"{total}: {kinds}." if kinds else f"{total}."


@artifacts.command
def push(
    *,
    check: Annotated[
        bool, Parameter(help="ask the store for each, also those that are known to be there")
    ] = False,
) -> None:
    """Upload every artifact of this home that the shared store does not have. May be broken off and repeated."""
    settings = get_settings()
    check_kept_home(settings)
    store = Store(settings)
    remote = open_remote(settings, store)
    here = [record for record in store.records() if store.is_here(record)]
    records = [record for record in here if record.stage not in settings.store_keep_home]
    there = remote.knows if not check else lambda record: remote.holds(record, carried=True)
    missing = [record for record in records if not there(record)]
    size = failed = 0
    for number, record in enumerate(missing, start=1):
        line = f"{number}/{len(missing)} {record.stage} {record.digest[:12]}:"
        try:
            sent = remote.push(record)
        except StoreUnreachable as error:
            raise StoreUnreachable(
                f"{error} {number - 1 - failed} of {len(missing)} artifacts were sent. Run the command again."
            ) from None
        except StoreError as error:
            failed += 1
            console.print(one_line(f"{line} {error}"))
            continue
        size += sent.sent
        other = f"; another machine's {sent.other[:12]} stays there" if sent.other else ""
        console.print(f"{line} {sent.sent / 1e6:.1f} MB sent{other}")
    console.print(
        f"{len(missing) - failed} artifacts sent to {remote.url}, {size / 1e6:.1f} MB;"
        f" {len(records) - len(missing)} were there."
    )
    if len(here) > len(records):
        console.print(
            f"{len(here) - len(records)} artifacts of {', '.join(settings.store_keep_home)} stay in the home."
        )
    if failed:
        raise StoreError(f"{failed} artifacts were not sent: see above. Run the command again.")


@artifacts.command
def pull(
    target: Annotated[
        str | None,
        Parameter(
            help="of which, and of all that it was made from, as `lineage` takes it; default: every record here"
        ),
    ] = None,
    /,
) -> None:
    """Download the files of artifacts of which this home has the record alone. May be broken off and repeated."""
    from infra.catalog.lineage import ancestors, find_record

    settings = get_settings()
    store = Store(settings)
    remote = open_remote(settings, store)
    records = list(store.records())
    if target is not None:
        wanted = ancestors(records, [find_record(store, target)])
        records = [record for record in records if record.key in wanted]
    missing = [record for record in records if not store.is_here(record)]
    failed: list[Record] = []
    for number, record in enumerate(missing, start=1):
        if (address := elsewhere_of(store.folder(record.stage, record.key))) == settings.store:
            with store.lock(record.key):
                problem = remote.bring(record).problem
        else:
            problem = f"its files are in {address} alone: set STILLHOUSE_STORE to that"
        size = sum(file.size for file in record.files.values())
        said = problem or f"{size / 1e6:.1f} MB"
        console.print(one_line(f"{number}/{len(missing)} {record.stage} {record.digest[:12]}: {said}"))
        failed += [record] if problem else []
    console.print(
        f"{len(missing) - len(failed)} artifacts fetched from {remote.url}; {len(records) - len(missing)} were here."
    )
    if failed:
        raise StoreError(f"{len(failed)} artifacts could not be fetched: see above. A run makes them anew.")
