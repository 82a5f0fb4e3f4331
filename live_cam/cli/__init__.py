"""The command line: options become `Settings`, typed errors become a sentence and an exit code.

torch and OpenCV are imported only when a command needs them, so that `--help` is fast.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import logging
import os
import shlex
import sys
import threading

import click

from live_cam import __version__
from live_cam.cli.evaluate import evaluate
from live_cam.cli.image import image
from live_cam.cli.live import demo, run
from live_cam.cli.machine import bench, doctor
from live_cam.cli.printing import NotifyHandler, notify, print_error
from live_cam.cli.signals import interrupt, stopped_by_signals
from live_cam.cli.video import video
from live_cam.errors import LiveCamError


class _CommandOrRun(click.Group):
    """A group whose default command is `run`: `live-cam -m vgg16`, `live-cam`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "-h", "--version")):
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest `--source` if the unknown command may be a source."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if _may_be_source(args[0]):
                raise click.UsageError(
                    f"{args[0]!r} is not a command; to explain it, run: live-cam --source "
                    f"{shlex.quote(args[0])}",
                    ctx,
                ) from error
            raise


def _may_be_source(word: str) -> bool:
    return word.isdecimal() or "://" in word or os.path.exists(word)  # noqa: PTH110  # any name


@click.group(cls=_CommandOrRun, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="live-cam")
def cli() -> None:
    """Show, live, what a network recognises in a camera image and which part it looked at.

    The default command is `run`, which explains the first camera with VGG-19.
    """


for _command in (run, demo, image, video, evaluate, doctor, bench):
    cli.add_command(_command)


def main() -> None:
    """Run the command line and end the process: the entry point of `live-cam`.

    A second Ctrl-C ends the process immediately.
    """
    before = set(threading.enumerate())
    with stopped_by_signals(interrupt) as stopped:
        code = exit_code(stopped)
    if stopped.is_set() or not before.issuperset(threading.enumerate()):
        # A regular interpreter exit would abort the process if a thread runs C++ code, and die by
        # SIGINT if an import was interrupted.
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def exit_code(stopped: threading.Event) -> int:
    """Run the command in `sys.argv` and print its error, if any.

    Args:
        stopped: Set once a signal has interrupted the command.

    Returns:
        0 on success, 1 for a failure at run time and 2 for wrong usage.
    """
    logging.getLogger("live_cam").addHandler(NotifyHandler())
    try:
        code = cli.main(prog_name="live-cam", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        return 0
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        print_error(shown.getvalue().rstrip())
        return error.exit_code
    except LiveCamError as error:
        notify(f"live-cam: {error}")
        return error.exit_code
    except Exception:
        # An import in C may replace a KeyboardInterrupt by another exception.
        if stopped.is_set():
            return 0
        raise
    return code if isinstance(code, int) else 0
