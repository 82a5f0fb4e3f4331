from __future__ import annotations

import pytest
import torch

from live_cam import engines
from live_cam.bench import entries as module
from live_cam.bench.contest import Contestant, ContestResult, Quartiles, Submission
from live_cam.bench.entries import REFERENCE, Entry, OpenEntries, entries
from live_cam.bench.inputs import benchmark_inputs, network, random_weights
from live_cam.bench.short import verdict
from live_cam.cam.gradcam import GradCAM
from live_cam.errors import EngineError
from tests.support.classifiers import as_classifier, images
from tests.support.networks import tiny_network

CPU = torch.device("cpu")


class TestEntries:
    @pytest.fixture(autouse=True)
    def _fixed_engines(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "openvino_devices", lambda: ("cpu", "gpu"))
        monkeypatch.setattr(module, "available_engines", lambda _: ("hook", "torch", "openvino"))

    def test_fast_bfloat16_is_measured(self) -> None:
        selected = [each.name for each in entries(CPU, {"fp32": 1.0, "bf16": 2.0, "fp16": 0.5})]
        assert selected == [
            "hook fp32",
            "torch fp32",
            "torch bf16",
            "openvino fp32",
            "openvino bf16",
            "openvino int8",
            "openvino gpu fp32",
            "openvino gpu fp16",
        ]
        assert selected[0] == REFERENCE

    def test_a_precision_no_faster_than_float32_is_left_out(self) -> None:
        selected = entries(CPU, {"fp32": 1.0, "bf16": 1.0}, int8=False)
        cpu = [each.name for each in selected if each.accelerator == "cpu"]
        assert cpu == ["hook fp32", "torch fp32", "openvino fp32"]


class TestOpenEntries:
    def test_entries_that_open_explain_and_the_others_are_listed(self) -> None:
        classifier = as_classifier(tiny_network(), "1")
        x = images()
        messages: list[str] = []
        chosen = [Entry("hook", "fp32"), Entry("torch", "int8"), Entry("torch", "fp32")]
        with OpenEntries(classifier, chosen, CPU, x, messages.append) as opened:
            submissions = {each.name: each.explain(x) for each in opened.contestants}
        assert list(submissions) == ["hook fp32", "torch fp32"]
        assert "no precision int8" in opened.missing["torch int8"]
        assert len(messages) == 3
        with GradCAM(classifier.module, "1") as cam:
            expected = cam(x)
        for submission in submissions.values():
            assert submission.class_index == int(expected.class_index)
            assert torch.allclose(torch.from_numpy(submission.cam), expected.cam[0], rtol=1e-4)

    def test_a_submission_survives_the_next_explanation(self) -> None:
        classifier = as_classifier(tiny_network(), "1")
        batch = images(2)
        with OpenEntries(classifier, [Entry("torch", "fp32")], CPU, batch[:1], print) as opened:
            (engine,) = opened.contestants
            first = engine.explain(batch[:1])
            before = first.cam.copy()
            engine.explain(batch[1:])
        assert (first.cam == before).all()

    def test_hooks_are_removed_even_if_opening_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        classifier = as_classifier(tiny_network(), "1")
        open_engine = engines.open_engine

        def failing(name: str, *arguments: object, **options: object) -> object:
            if name == "torch":
                raise KeyboardInterrupt
            return open_engine(name, *arguments, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(module, "open_engine", failing)
        chosen = [Entry("hook", "fp32"), Entry("torch", "fp32")]
        with pytest.raises(KeyboardInterrupt):
            OpenEntries(classifier, chosen, CPU, images(), print)
        assert not any(layer._forward_hooks for layer in classifier.module.modules())

    def test_a_failing_reference_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def failing(*_arguments: object, **_options: object) -> object:
            raise EngineError("broken")

        monkeypatch.setattr(module, "open_engine", failing)
        classifier = as_classifier(tiny_network(), "1")
        with pytest.raises(EngineError, match="broken"):
            OpenEntries(classifier, [Entry("hook", "fp32")], CPU, images(), print)


class TestInputs:
    def test_frames_cover_the_whole_scene(self) -> None:
        classifier = as_classifier(tiny_network(), "1")
        frames, source = benchmark_inputs(classifier, 4)
        assert source == "of the demo scene"
        assert [x.shape for x in frames] == [(1, 3, 96, 96)] * 4
        for index, x in enumerate(frames):
            for other in frames[:index]:
                assert float((x - other).abs().mean()) > 0.5, "each shows another photo"

    def test_without_photos_frames_are_reproducible_noise(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("live_cam.capture.demo.importlib.util.find_spec", lambda _: None)
        classifier = as_classifier(tiny_network(), "1")
        frames, source = benchmark_inputs(classifier, 2)
        again, _ = benchmark_inputs(classifier, 2)
        assert source.startswith("noise")
        assert all(torch.equal(one, two) for one, two in zip(frames, again, strict=True))
        assert not torch.equal(frames[0], frames[1])

    def test_random_weights_are_reproducible(self) -> None:
        one, two = random_weights("squeezenet1_1"), random_weights("squeezenet1_1")
        assert all(torch.equal(one[key], two[key]) for key in one)
        other = random_weights("squeezenet1_1", seed=1)
        assert not all(torch.equal(one[key], other[key]) for key in one)

    def test_a_network_without_cached_weights_gets_temporary_random_ones(
        self, tmp_path: object
    ) -> None:
        before = torch.hub.get_dir()
        torch.hub.set_dir(str(tmp_path))
        try:
            with network("squeezenet1_1") as (classifier, origin):
                assert "random" in origin
                assert torch.hub.get_dir() != str(tmp_path), "int8 networks are cached there"
                with torch.no_grad():
                    scores = classifier.module(torch.rand(1, 3, 224, 224))
            assert torch.hub.get_dir() == str(tmp_path)
        finally:
            torch.hub.set_dir(before)
        assert bool(torch.isfinite(scores).all())
        assert float(scores.std()) > 0


def outcome(name: str, seconds: float, correlation: float | None, *, exact: bool) -> ContestResult:
    def explain(_: torch.Tensor) -> Submission:
        raise NotImplementedError

    return ContestResult(
        Contestant(name, explain, exact),
        Quartiles(seconds, seconds, seconds),
        1.0,
        correlation,
        1.0,
        1.0,
        0.0 if exact else None,
    )


class TestVerdict:
    HOOK = outcome("hook fp32", 0.2, 1.0, exact=True)
    OPENVINO = outcome("openvino fp32", 0.1, 1.0, exact=True)

    def test_a_faster_inexact_engine_is_recommended_too(self) -> None:
        rough = outcome("openvino int8", 0.025, 0.987, exact=False)
        slow = outcome("torch bf16", 0.15, 0.999, exact=False)
        assert verdict([self.HOOK, rough, self.OPENVINO, slow]) == (
            "Fastest exact engine here: openvino fp32, 10.0 explanations per second; "
            "openvino int8 makes 40, and its heatmaps correlate 0.99 with the exact ones."
        )

    @pytest.mark.parametrize("correlation", [0.5, None])
    def test_an_engine_with_poor_maps_is_not_recommended(self, correlation: float | None) -> None:
        rough = outcome("openvino int8", 0.025, correlation, exact=False)
        assert verdict([self.HOOK, rough]) == (
            "Fastest exact engine here: hook fp32, 5.0 explanations per second."
        )
