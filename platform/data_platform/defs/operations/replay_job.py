"""The job that replays rejects from the UI: its run config, and the runs that it starts."""

from collections.abc import Mapping
from datetime import date

import dagster as dg
from pydantic import Field, field_validator

from data_platform.defs.operations import replay as replaying
from data_platform.defs.operations.asked import days_asked
from data_platform.defs.operations.failures import a_day_cannot_be_made, failures
from data_platform.defs.partitions import range_tags
from data_platform.defs.resources import Storage
from data_platform.errors import PermanentError
from data_platform.publish import rejects
from data_platform.publish.rejects import Scope

EVERYTHING = "everything"
"""Name of the job whose assets are derived again."""

QUIET: dict[str, object] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Run config that keeps Dagster's own log off the terminal."""


class ReplayRejects(dg.Config):
    """Which rejects are derived again; with nothing given, all of them."""

    assets: list[str] = Field(default=[], description="Only rejects of these assets, such as raw_leads. Empty: all.")
    first_day: str = Field(default="", description="First delivery day, such as 2023-07-07. Empty: all days.")
    last_day: str = Field(default="", description="Last delivery day. Empty: the first day alone.")
    reason: str = Field(default="", description="Only rejects of this reason code, such as unknown_layout. Empty: all.")
    dry_run: bool = Field(default=False, description="Only say what would be derived again; change nothing.")

    @field_validator("first_day", "last_day")
    @classmethod
    def _is_a_day(cls, text: str) -> str:
        if text:
            date.fromisoformat(text)
        return text

    def scope(self) -> Scope:
        """What the fields mean.

        Raises:
            PermanentError: An asset is not known, or the days run backwards.
        """
        return rejects.scope_of(self.assets, self._days(), self.reason)

    def _days(self) -> tuple[date, date] | None:
        first, last = self.first_day or self.last_day, self.last_day or self.first_day
        if not first:
            return None
        if first > last:
            raise PermanentError(f"last_day {last} lies before first_day {first}; exchange them.")
        return date.fromisoformat(first), date.fromisoformat(last)


def replay_rejects_job(definitions: dg.Definitions) -> dg.JobDefinition:
    """The job `replay_rejects` over the assets of some definitions."""

    @dg.op(name="derive_again", out=dg.Out(dg.Nothing))
    def derive_again(context: dg.OpExecutionContext, config: ReplayRejects, storage: Storage) -> None:
        """Derives again, from the evidence, the days that hold rejects or that other code derived; then what follows.

        Each stretch of days is a run of its own, of the same assets, checks and IO managers as any other.
        """
        stack = storage.open()
        try:
            scope = config.scope()
        except PermanentError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        work = replaying.find_work(definitions, stack, scope)
        _say(context, config, work)
        if config.dry_run or not work:
            return

        def execute(key: dg.AssetKey, stretch: tuple[date, date] | None) -> replaying.Outcome:
            result = definitions.resolve_job_def(EVERYTHING).execute_in_process(
                run_config=QUIET, instance=context.instance, raise_on_error=False, asset_selection=[key],
                tags=range_tags(stretch) | {"data_platform/replay": context.run_id},
            )  # fmt: skip
            return replaying.Outcome(tuple(failures(result)), a_day_cannot_be_made(result, definitions))

        def asked(key: dg.AssetKey) -> set[date]:
            return days_asked(definitions, context.instance, key)

        report = replaying.replay(definitions, stack, scope, work, execute, asked)
        lines = replaying.sentences(report)
        for line in lines:
            context.log.info("%s", line)
        context.add_output_metadata({"won": dg.MetadataValue.md("\n\n".join(lines))})
        if report.failures:
            raise dg.Failure(" ".join(report.failures), allow_retries=False)

    @dg.job(
        name="replay_rejects",
        description=(
            "Derives again, from the evidence, the days that hold rejects and those that another version of the code"
            " derived, then everything made of what changed. Correct a layout or rule first, then launch this; the"
            " config narrows it to assets, days or one reason, and `dry_run` only says what it would do."
            " `data-platform rejects list` shows what is rejected."
        ),
    )
    def replay_rejects() -> None:
        derive_again()

    return replay_rejects


def _say(context: dg.OpExecutionContext, config: ReplayRejects, work: Mapping[dg.AssetKey, replaying.Work]) -> None:
    for key, why in work.items():
        context.log.info("%s %s: %s", "Would derive" if config.dry_run else "Derives", key.to_user_string(), why)
    if not work:
        context.log.info("There is nothing to replay; nothing was changed.")
