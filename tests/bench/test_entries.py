from __future__ import annotations

import pytest
import torch

from live_cam import engines
from live_cam.bench import entries as module
from live_cam.bench.contest import Answer, Contestant, Outcome, Quartiles
from live_cam.bench.entries import TRUTH, Entry, Opened, entries
from live_cam.bench.inputs import benchmark_inputs, network, random_weights
from live_cam.bench.short import verdict
from live_cam.cam.gradcam import GradCAM
from live_cam.errors import EngineError
from tests.support.classifiers import as_classifier, images
from tests.support.networks import tiny_network

CPU = torch.device("cpu")


class TestEntries:
    @pytest.fixture(autouse=True)
    def _openvino_finds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "openvino_devices", lambda: ("cpu", "gpu"))
        monkeypatch.setattr(module, "available_engines", lambda _: ("hook", "torch", "openvino"))

    def test_a_processor_with_fast_bfloat16(self) -> None:
        found = [each.name for each in entries(CPU, {"fp32": 1.0, "bf16": 2.0, "fp16": 0.5})]
        assert found == [
            "hook fp32",
            "torch fp32",
            "torch bf16",
            "openvino fp32",
            "openvino bf16",
            "openvino int8",
            "openvino gpu fp32",
            "openvino gpu fp16",
        ]
        assert found[0] == TRUTH

    def test_a_precision_that_is_no_faster_is_left_out(self) -> None:
        found = entries(CPU, {"fp32": 1.0, "bf16": 1.0}, int8=False)
        cpu = [each.name for each in found if each.accelerator == "cpu"]
        assert cpu == ["hook fp32", "torch fp32", "openvino fp32"]


class TestOpened:
    def test_what_opens_explains_and_the_others_are_listed(self) -> None:
        classifier = as_classifier(tiny_network(), "1")
        x = images()
        said: list[str] = []
        wanted = [Entry("hook", "fp32"), Entry("torch", "int8"), Entry("torch", "fp32")]
        with Opened(classifier, wanted, CPU, x, said.append) as opened:
            answers = {each.name: each.explain(x) for each in opened.contestants}
        assert list(answers) == ["hook fp32", "torch fp32"]
        assert "no precision int8" in opened.missing["torch int8"]
        assert len(said) == 3
        with GradCAM(classifier.module, "1") as cam:
            expected = cam(x)
        for answer in answers.values():
            assert answer.class_index == int(expected.class_index)
            assert torch.allclose(torch.from_numpy(answer.cam), expected.cam[0], rtol=1e-4)

    def test_an_answer_outlives_the_next_one(self) -> None:
        classifier = as_classifier(tiny_network(), "1")
        batch = images(2)
        with Opened(classifier, [Entry("torch", "fp32")], CPU, batch[:1], print) as opened:
            (engine,) = opened.contestants
            first = engine.explain(batch[:1])
            before = first.cam.copy()
            engine.explain(batch[1:])
        assert (first.cam == before).all()

    def test_hooks_are_gone_afterwards_even_if_opening_fails(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        classifier = as_classifier(tiny_network(), "1")
        open_engine = engines.open_engine

        def failing(name: str, *arguments: object, **options: object) -> object:
            if name == "torch":
                raise KeyboardInterrupt
            return open_engine(name, *arguments, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(module, "open_engine", failing)
        wanted = [Entry("hook", "fp32"), Entry("torch", "fp32")]
        with pytest.raises(KeyboardInterrupt):
            Opened(classifier, wanted, CPU, images(), print)
        assert not any(layer._forward_hooks for layer in classifier.module.modules())

    def test_without_the_truth_there_is_nothing_to_compare_with(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def failing(*_arguments: object, **_options: object) -> object:
            raise EngineError("broken")

        monkeypatch.setattr(module, "open_engine", failing)
        classifier = as_classifier(tiny_network(), "1")
        with pytest.raises(EngineError, match="broken"):
            Opened(classifier, [Entry("hook", "fp32")], CPU, images(), print)


class TestInputs:
    def test_frames_go_over_the_whole_scene(self) -> None:
        classifier = as_classifier(tiny_network(), "1")
        found, source = benchmark_inputs(classifier, 4)
        assert source == "of the demo scene"
        assert [x.shape for x in found] == [(1, 3, 96, 96)] * 4
        for index, x in enumerate(found):
            for other in found[:index]:
                assert float((x - other).abs().mean()) > 0.5, "each shows another photo"

    def test_without_photos_it_is_noise_and_the_same_each_time(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("live_cam.capture.demo.importlib.util.find_spec", lambda _: None)
        classifier = as_classifier(tiny_network(), "1")
        found, source = benchmark_inputs(classifier, 2)
        again, _ = benchmark_inputs(classifier, 2)
        assert source.startswith("noise")
        assert all(torch.equal(one, two) for one, two in zip(found, again, strict=True))
        assert not torch.equal(found[0], found[1])

    def test_random_weights_are_the_same_each_time(self) -> None:
        one, two = random_weights("squeezenet1_1"), random_weights("squeezenet1_1")
        assert all(torch.equal(one[key], two[key]) for key in one)
        other = random_weights("squeezenet1_1", seed=1)
        assert not all(torch.equal(one[key], other[key]) for key in one)

    def test_a_network_without_cached_weights_gets_random_ones_and_leaves_nothing(
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


def outcome(name: str, seconds: float, correlation: float | None, *, exact: bool) -> Outcome:
    def explain(_: torch.Tensor) -> Answer:
        raise NotImplementedError

    return Outcome(
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

    def test_an_inexact_engine_that_is_faster(self) -> None:
        rough = outcome("openvino int8", 0.025, 0.987, exact=False)
        slow = outcome("torch bf16", 0.15, 0.999, exact=False)
        assert verdict([self.HOOK, rough, self.OPENVINO, slow]) == (
            "Fastest exact engine here: openvino fp32, 10.0 explanations per second; "
            "with openvino int8, 40, its maps correlating 0.99 with the exact ones."
        )

    @pytest.mark.parametrize("correlation", [0.5, None])
    def test_garbage_is_not_recommended(self, correlation: float | None) -> None:
        rough = outcome("openvino int8", 0.025, correlation, exact=False)
        assert verdict([self.HOOK, rough]) == (
            "Fastest exact engine here: hook fp32, 5.0 explanations per second."
        )
