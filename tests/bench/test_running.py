"""The whole benchmark, as a script and as `live-cam bench`, on a small network."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from benchmark.flicker import flicker_section
from benchmark.views import views_section

from live_cam.bench import limits
from live_cam.bench.short import bench
from live_cam.capture.demo import demo_photos
from live_cam.errors import UsageError
from live_cam.look import VIEWS
from live_cam.settings import Settings
from tests.support.program import TIME_LIMIT
from tests.support.reports import report_from_json

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "benchmark"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments],
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )


def test_the_script_writes_its_reports(tmp_path: Path) -> None:
    result = run(
        "--model", "squeezenet1_1", "--frames", "2", "--no-int8", "--device", "cpu",
        "--loop", "2", "--engine", "torch",
        "--part", "engines", "--part", "loop", "--part", "tracking",
        "--json", tmp_path / "found.json",
        "--markdown", tmp_path / "found.md",
        "--plot", tmp_path / "found.svg",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    report = report_from_json((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert report.text() in result.stdout
    assert report.markdown() == (tmp_path / "found.md").read_text(encoding="utf-8")
    explanations, machine, missing, loop, tracking = report.sections
    rows = {str(row["name"]): row for row in explanations.rows}
    assert {"hook fp32", "torch fp32", "torchcam", "pytorch-grad-cam", "captum"} <= set(rows)
    assert rows["torchcam"]["speed"] == 1.0
    for row in explanations.rows:
        lower, middle, upper = (
            float(row[f"{name}_seconds"] or 0) for name in ("lower", "median", "upper")
        )
        assert 0 < lower <= middle <= upper
        if str(row["name"]).endswith("forward alone"):
            assert row["correlation"] is None
            continue
        assert float(row["correlation"] or 0) > 0.9, row["name"]
        if row["exact"]:
            assert float(row["deviation"] or 0) <= 1e-4, row["name"]
    assert {row["precision"] for row in machine.rows} >= {"fp32"}
    assert [row["name"] for row in missing.rows] == ["seed"]
    for row in loop.rows:
        assert row["engine"] == "torch cpu fp32"
        assert float(row["shown"] or 0) >= 2
        assert float(row["explained"] or 0) > 0
        assert float(row["bare"] or 0) > 0
        assert 0 < float(row["age"] or 0) < 1
    assert [row["threads"] for row in loop.rows][1] == torch.get_num_threads()
    assert all(float(row["share"] or 9) < 1 / 3 for row in tracking.rows)
    image = (tmp_path / "found.svg").read_text(encoding="utf-8")
    assert "<svg" in image


def test_the_script_reports_usage_errors(tmp_path: Path) -> None:
    result = run("--model", "vgg91")
    assert result.returncode == 2
    assert result.stderr.startswith("benchmark: there is no network 'vgg91'")
    result = run("--part", "flicker", "--plot", tmp_path / "found.svg")
    assert result.returncode == 2
    assert "add --part engines" in result.stderr


def test_smoothing_reduces_flicker_and_shows_cuts_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.flicker.RATES", (10.0,))
    monkeypatch.setattr("benchmark.flicker._FRAMES", 12)
    photos = demo_photos()[:2]
    monkeypatch.setattr("benchmark.flicker.demo_photos", lambda: photos)
    (row,) = flicker_section().rows
    assert float(row["least_fall"] or 0) >= 5
    assert 0 < float(row["heatmap_seconds"] or 9) <= 0.3
    assert 0 < float(row["label_seconds"] or 9) <= 0.3


def test_the_cost_of_each_view_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("live_cam.explain.session._RANDOMISE_INTERVAL", 0.0)
    settings = Settings(model="efficientnet_lite0", engine="hook")
    section = views_section(settings, 2, lambda _text: None)
    rows = {str(row["name"]): row for row in section.rows}
    assert set(VIEWS) <= set(rows)
    assert all(float(row["drawing_seconds"] or 0) > 0 for row in rows.values())
    plain = rows["overlay"]
    assert plain["explaining"] == plain["drawing"] == plain["drawing_again"] == 1.0
    asks_more = {"grid", "classes", "maps", "counterfactual", "versus the runner-up", "a check"}
    for name, row in rows.items():
        asks = any(name.startswith(each) for each in asks_more) or name == "randomised weights"
        assert (row["explaining"] is not None) == (asks or name == "overlay"), name


def test_bench_lists_the_engines_and_recommends_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_SECONDS", 0.0)
    messages: list[str] = []
    steps: list[tuple[int, int]] = []
    text = bench(
        "efficientnet_lite0",
        device="cpu",
        frames=2,
        int8=False,
        notify=messages.append,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert "efficientnet_lite0 on cpu" in text
    assert re.search(r"^hook fp32 +\d+\.\d +\d+\.\d +1\.00  exact$", text, re.MULTILINE)
    last = text.splitlines()[-1]
    assert re.match(r"Fastest exact engine here: \w+ fp32, [\d.]+ explanations per second", last)
    assert any("Opening torch fp32" in line for line in messages)
    assert [done for done, _ in steps] == list(range(1, steps[0][1] + 1))


def test_bench_reports_usage_errors() -> None:
    with pytest.raises(UsageError, match="vgg91"):
        bench("vgg91", frames=1)
