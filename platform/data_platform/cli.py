"""The command line, `data-platform run | rejects | reports | up | ...`: parses words, and says errors."""

import argparse
import re
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from data_platform.console.terminal import shown
from data_platform.errors import PlatformError
from data_platform.settings import SettingsError


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        The exit code: 0 for success, 1 for a failure that was explained, 130 after Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    try:
        return _dispatch(options)
    except (PlatformError, SettingsError) as error:
        print(f"data-platform: {shown(str(error))}", file=sys.stderr)  # it may name a file that outsiders named
        return 1
    except KeyboardInterrupt:
        print("\nStopped; nothing half-done is visible. The same command goes on from here.", file=sys.stderr)
        return 130


def _dispatch(options: argparse.Namespace) -> int:
    # Each command imports what it needs: `--help` must not wait for Dagster.
    match options.command:
        case "run":
            from data_platform.console.run import run

            return run(options.assets, options.days)
        case "rejects" | "intake" | "reports" | "keys" | "reveal":
            return _DISPATCH[options.command](options)
        case "up" | "down":
            from data_platform.console import serve

            return serve.up(options.port) if options.command == "up" else serve.down()
        case "sql":
            from data_platform.console.sql import shell

            return shell(options.command_text)
        case _:
            from data_platform.console.reset import reset

            return reset(yes=options.yes)


def _dispatch_records(options: argparse.Namespace) -> int:
    from data_platform.publish.rejects import scope_of

    match options.action:
        case "inspect":
            from data_platform.console.inspect_file import inspect_file

            return inspect_file(options.file, limit=options.limit, as_json=options.json)
        case "list":
            from data_platform.console.rejects import list_rejects

            scope = scope_of(options.asset, options.days, options.reason, options.evidence)
            return list_rejects(scope, limit=options.limit, as_json=options.json)
        case "show":
            from data_platform.console.rejects import show

            return show(options.reject, raw=options.raw)
        case _:
            from data_platform.console.replay import replay

            return replay(scope_of(options.asset, options.days, options.reason), dry_run=options.dry_run)


def _dispatch_reports(options: argparse.Namespace) -> int:
    from data_platform.console import reports

    match options.action:
        case "list":
            return reports.list_reports(options.type, limit=options.limit, as_json=options.json)
        case "preview":
            return reports.preview(options.type, options.day, num_rows=options.rows, personal=options.personal)
        case "verify":
            return reports.verify(options.report)
        case "link":
            return reports.link(options.report)
        case "mail":
            return reports.mail(options.report, again=options.again)
        case _:
            return reports.new(options.name, options.title or options.name.replace("_", " ").capitalize())


def _dispatch_privacy(options: argparse.Namespace) -> int:
    from data_platform import settings
    from data_platform.console import keys, reveal
    from data_platform.stack import key_ring_reference

    if options.command == "reveal":
        return reveal.reveal(options.subject, reason=options.reason)
    match options.action:
        case "list":
            return keys.keys_list(key_ring_reference(settings.load()), as_json=options.json)
        case "rotate":
            return keys.keys_rotate(key_ring_reference(settings.load()))
        case _:
            return keys.keys_new(options.file)


_DISPATCH = {
    "rejects": _dispatch_records,
    "intake": _dispatch_records,
    "reports": _dispatch_reports,
    "keys": _dispatch_privacy,
    "reveal": _dispatch_privacy,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="data-platform", description="Evidence in, published tables out.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="bring every asset up to date, or just some assets or days")
    run.add_argument("--assets", nargs="+", default=[], metavar="ASSET", help="only these assets")
    run.add_argument("--days", type=_days, metavar="FROM[..TO]", help="these days, such as 2023-07-07..2023-07-14")
    _add_rejects(commands.add_parser("rejects", help="what could not be used: list, explain, derive again after a fix"))
    _add_reports(
        commands.add_parser("reports", help="what was delivered; verify it, link to it, mail it; begin a new one")
    )
    _add_keys(commands.add_parser("keys", help="the keys that seal and mask personal data: list, rotate, new"))
    reveal = commands.add_parser(
        "reveal",
        help="show what a token or a sealed message hides; needs the key and a reason, and is booked",
        description="Shows the value behind a token, or the body of a message. Each use adds a row to ops.reveals, with"
        " your account, your reason and what you asked for, before anything is shown.",
    )
    reveal.add_argument("subject", metavar="SUBJECT", help="a token (t1_...), or a message, such as 1a2b3c4d5e6f:12")
    reveal.add_argument("--reason", required=True, metavar="TEXT", help="why, in ten characters or more")
    _add_intake(commands.add_parser("intake", help="look at a file as the reader of delimited text does"))
    up = commands.add_parser("up", help="serve the Dagster UI with daemon and code server until Ctrl-C")
    up.add_argument("--port", type=_port, default=3000, help="port on localhost (default: 3000)")
    commands.add_parser("down", help="stop what `up` started, wherever it runs")
    sql = commands.add_parser("sql", help="open psql on the warehouse, or run one query")
    sql.add_argument("-c", dest="command_text", metavar="QUERY", help="run this query and leave")
    reset = commands.add_parser("reset", help="delete the embedded stack's data, after asking")
    reset.add_argument("--yes", action="store_true", help="do not ask")
    return parser


def _add_intake(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    inspect = actions.add_parser(
        "inspect",
        help="how a file is written, and what becomes of every byte of it",
        description="Reads any delimited file and says what was found: encoding, dialect, header, records, rejects and"
        " structure, with the bytes of each. Loads nothing.",
    )
    inspect.add_argument("file", type=Path, metavar="FILE", help="the file")
    inspect.add_argument("--limit", type=_count, default=10, metavar="N", help="how many rejects to show (default: 10)")
    inspect.add_argument("--json", action="store_true", help="as one JSON document")


def _add_rejects(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "What could not be used, and why. Look with `list` and `show`, correct the rule or layout, then `replay`."
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    list_ = actions.add_parser("list", help="the rejects of what is published now, with counts by reason")
    show = actions.add_parser("show", help="all about one reject, with its bytes out of the evidence")
    replay = actions.add_parser(
        "replay",
        help="derive again, from the evidence, what a fix may read otherwise",
        description="Derives again exactly the days that hold such rejects, that another version of the code derived,"
        " or that have a delivery which waits; then all that is made of what changed. Says what it won and what stays.",
    )
    for action in (list_, replay):
        action.add_argument("--asset", nargs="+", default=[], metavar="ASSET", help="only of these assets")
        action.add_argument("--day", "--days", type=_days, dest="days", metavar="FROM[..TO]", help="delivered then")
        action.add_argument("--reason", default="", help="only of this reason code, such as unknown_layout")
    list_.add_argument("--evidence", default="", metavar="ID", help="only of evidence that begins so")
    list_.add_argument("--limit", type=_count, default=50, metavar="N", help="how many to show (default: 50)")
    list_.add_argument("--json", action="store_true", help="as one JSON document")
    show.add_argument("reject", metavar="REJECT", help="as `list` shows it, such as 1a2b3c4d5e6f:12")
    show.add_argument("--raw", action="store_true", help="write its exact bytes to standard output, and nothing else")
    replay.add_argument("--dry-run", action="store_true", help="only say what would be derived again")


def _add_reports(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Reports that are delivered once a day or week. `data-platform run` and the sensors deliver what is due."
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    list_ = actions.add_parser("list", help="the files that were delivered last, and the types that there are")
    list_.add_argument("type", nargs="?", metavar="TYPE", help="only of this type")
    list_.add_argument("--limit", type=_count, default=20, metavar="N", help="how many to show (default: 20)")
    list_.add_argument("--json", action="store_true", help="as one JSON document")
    preview = actions.add_parser("preview", help="read the sources now and show the first rows; delivers nothing")
    preview.add_argument("type", metavar="TYPE", help="such as active_user_report")
    preview.add_argument("--day", type=_day, metavar="DAY", help="the report's day (default: yesterday)")
    preview.add_argument("--rows", type=_count, default=10, metavar="N", help="how many to show (default: 10)")
    preview.add_argument("--personal", action="store_true", help="show personal columns too")
    verify = actions.add_parser(
        "verify", help="derive a delivered report again from its evidence, and compare all bytes"
    )
    link = actions.add_parser("link", help="an address that opens a delivered file, for REPORT_LINK_HOURS")
    mail = actions.add_parser("mail", help="send a delivered report to recipients who were not told of it")
    for action in (verify, link, mail):
        action.add_argument("report", metavar="REPORT", help="its id, or the first digits of it, as `list` shows them")
    mail.add_argument("--again", action="store_true", help="send it also to those who were told")
    new = actions.add_parser("new", help="write the YAML file and the SQL of a new report type, to be edited")
    new.add_argument("name", type=_name, metavar="NAME", help="of the type and its asset, such as leads_by_state")
    new.add_argument("--title", metavar="TITLE", help="what the customer calls it")


def _add_keys(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    list_ = actions.add_parser("list", help="version, purpose and age of each key, never the key")
    list_.add_argument("--json", action="store_true", help="as one JSON document")
    actions.add_parser("rotate", help="seal by a new key from now on; what older keys sealed stays readable")
    new = actions.add_parser("new", help="make the key ring of a new platform, for PRIVACY_KEYS")
    new.add_argument("file", type=Path, metavar="FILE", help="where it goes; an existing one is left alone")


def _name(text: str) -> str:
    if not re.fullmatch("[a-z][a-z0-9_]*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a name of small letters, digits and _")
    return text


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day, such as 2026-10-31") from None


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**31:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 2**16:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, 1 to 65535")
    return int(text)


def _days(text: str) -> tuple[date, date]:
    first, _, last = text.partition("..")
    try:
        days = date.fromisoformat(first), date.fromisoformat(last or first)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day or FROM..TO, such as 2023-07-07..2023-07-14") from None
    if days[0] > days[1]:
        raise argparse.ArgumentTypeError(f"{text!r} ends before it starts")
    return days


if __name__ == "__main__":
    sys.exit(main())
