"""One training from its options: builds network, optimiser and trainer, goes on from a checkpoint, runs."""

import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import numpy.typing as npt
from mindspore import nn

from crnn_mindspore.artifacts.artifact import Artifact, hash_weights
from crnn_mindspore.artifacts.model_path import resolve_model
from crnn_mindspore.data.checking.findings import Hint
from crnn_mindspore.data.loading.facts import digest_of
from crnn_mindspore.engines.mindspore.ascend import BY_STATUS
from crnn_mindspore.engines.mindspore.network_backend import create_network
from crnn_mindspore.engines.mindspore.parameters import network_weights
from crnn_mindspore.engines.mindspore.runtime import Runtime
from crnn_mindspore.errors import UserError
from crnn_mindspore.evaluation.evaluator import Evaluation
from crnn_mindspore.networks.half_precision import HALF
from crnn_mindspore.networks.lstm import computes_in_half
from crnn_mindspore.options.training_sections import SessionOptions
from crnn_mindspore.training.checkpoints.checkpoint import TrainState, read_checkpoint, save_checkpoint
from crnn_mindspore.training.checkpoints.checkpoint_folder import CheckpointFolder
from crnn_mindspore.training.checkpoints.resume import TrainingTensors, resumed_state
from crnn_mindspore.training.checkpoints.resume_policy import LENGTH
from crnn_mindspore.training.evaluating import Evaluate, TrainingEvaluation
from crnn_mindspore.training.evaluation_loss import EvaluationLoss
from crnn_mindspore.training.ranks import Ranks
from crnn_mindspore.training.result_file import images_of_result
from crnn_mindspore.training.trainer import Batches, Trainer, updates_per_epoch
from crnn_mindspore.training.updates.amp import create_scaler, resolve_level, scale_of
from crnn_mindspore.training.updates.gamma_penalty import GammaPenalty
from crnn_mindspore.training.updates.lr_schedule import create_milestones, create_schedule
from crnn_mindspore.training.updates.optimizers import create_optimizer
from crnn_mindspore.training.updates.step import CRNNForTrain, WeightAverage
from crnn_mindspore.training.watching.csv_log import CsvLog
from crnn_mindspore.training.watching.diagnosis import Diagnosis, learning_rate_hint
from crnn_mindspore.training.watching.eval_callback import CSV_COLUMNS as EVAL_COLUMNS
from crnn_mindspore.training.watching.eval_callback import EvaluationPlan, IsStopped
from crnn_mindspore.training.watching.finite_guard import FiniteGuard
from crnn_mindspore.training.watching.progress import Progress
from crnn_mindspore.training.watching.tensorboard import open_tensorboard

_logger = logging.getLogger(__name__)

_STATISTICS = (".moving_mean", ".moving_variance")  # of batch norm: computed, not learnt


class TrainingSession:
    """Everything of one training, built and restored; `run` trains.

    Args:
        options: What the user set.
        artifact: Charset, preprocessing and network; stored in every checkpoint.
        loader: Gives the batches.
        runtime: Where it computes.
        evaluation: Evaluates a forward function: name of each data set -> what was found; or None.
        recorded: The options that decide what is learnt, kept in checkpoints and compared on resuming.
        hints: What the training data gave reason to say.

    Raises:
        UserError: If an option is out of range or a checkpoint to start from does not fit.
    """

    def __init__(
        self,
        options: SessionOptions,
        artifact: Artifact,
        loader: Batches,
        runtime: Runtime,
        evaluation: Evaluate | None = None,
        recorded: Mapping[str, Any] | None = None,
        hints: Sequence[Hint] = (),
    ) -> None:
        self.options = options
        self.artifact = artifact
        self.loader = loader
        self.runtime = runtime
        self.recorded = dict(recorded or {})
        ms.set_seed(options.seed)
        level = resolve_level(options.amp_level, runtime.device_target)
        self.network = create_network(artifact, options.use_dropout, level, runtime.profile.lstm_kernel)
        self.scaler = create_scaler(computes_in_half(self.network), scale_of(options.loss_scale))
        if options.freeze_features:
            self.network.freeze_features()
            _logger.info("freeze_features: the convolutions stay as they are")
        self.network.set_train(True)
        _logger.info(
            "network: %s", parameter_count(self.network, artifact.kind.facts(artifact).get("network", ""))
        )
        self.optimizer = create_optimizer(
            options.optimizer,
            self.network.trainable_params(),
            options.momentum,
            options.nesterov,
            options.weight_decay,
            options.gamma_decay,
        )
        self.penalty = GammaPenalty(self.optimizer, options.gamma_l1) if options.gamma_l1 else None
        changing = self.network.changing_parameters()
        self.average = WeightAverage(changing, options.ema_decay) if options.ema_decay > 0 else None
        learner = artifact.kind.learner()
        self.loss = learner.create_loss(artifact, options)
        self.accuracy = learner.create_accuracy(artifact)
        # What a loss remembers of its batches is a moving average too.
        statistics = [parameter for parameter in changing if not parameter.requires_grad]
        statistics += self.loss.get_parameters()
        self.ranks = Ranks(runtime.rank, runtime.world_size, statistics)
        self.peak_rate = options.learning_rate * (runtime.world_size if options.scale_learning_rate else 1)
        self.tensors = TrainingTensors(self.network, self.optimizer, self.average, self.scaler, self.loss)
        self.checkpoints = CheckpointFolder(
            Path(options.save_checkpoint_path),
            self._write,
            interval=options.save_checkpoint_steps if options.save_checkpoint else 0,
            epochs=options.save_checkpoint_epochs if options.save_checkpoint else 0,
            keep=options.keep_checkpoint_max,
            is_active=runtime.is_main,
            goes_on_without=options.on_save_failure == "continue",
        )
        self.steps_per_epoch = updates_per_epoch(loader.steps_per_epoch, options.accumulate_steps)
        self.total_steps = options.max_steps or options.epoch_size * self.steps_per_epoch
        self.origin = self._checkpoint_to_resume()
        self.leaves_other = True  # whether results of another run in `output_dir` are kept
        self.start = self._starting_state(self.origin)
        if self.scaler is not None:
            _logger.info(
                "amp_level %s: %s in half precision, loss scale %g",
                level,
                "convolutions, LSTM and dense layers" if level == HALF else "the LSTM",
                float(self.scaler.scale_value.asnumpy()),
            )
        self.is_finished = self.start.step >= self.total_steps
        if self.is_finished:
            _logger.info(
                "%s: is at step %d of %d: nothing left to train",
                self.origin,
                self.start.step,
                self.total_steps,
            )
        self.ranks.check_same(self._facts())
        self.diagnosis = self._create_diagnosis(hints)
        self.evaluation = (
            TrainingEvaluation(
                artifact,
                evaluation,
                self.ranks,
                options.eval_ranks,
                EvaluationLoss(artifact, options),
                runtime.profile,
            )
            if evaluation
            else None
        )
        folder = Path(options.output_dir)
        writes_scalars = options.tensorboard and runtime.is_main
        self.scalars = open_tensorboard(folder / "tensorboard", self.start.step) if writes_scalars else None

    def run(self) -> tuple[dict[str, Any], int]:
        """Trains to the end, or until SIGINT or SIGTERM.

        Returns:
            What happened, ready for JSON, and the number of the signal that ended it (0: none did).
        """
        trainer = self._create_trainer()
        start = time.perf_counter()
        with self._profile():
            state, signal_number = trainer.fit(self.start, self.total_steps)
        if self.runtime.world_size > 1:
            digest = hash_weights(network_weights(self.network))
            _logger.info("rank %d ends with weights of SHA-256 %s", self.runtime.rank, digest)
        seconds = time.perf_counter() - start
        images = state.images_seen - self.start.images_seen
        result = {
            "step": state.step,
            "images_seen": state.images_seen,
            "seconds": round(seconds, 3),
            "images_per_second": round(images / seconds, 3),
            "checkpoint": str((self.checkpoints.saved() or [self.checkpoints.path_of(state)])[-1]),
            "best_accuracy": state.best_accuracy if state.best_accuracy >= 0 else None,
            "best_step": state.best_step,
            "best_of": state.best_of,
            "skipped_updates": trainer.overflows.count,
            "findings": [asdict(hint) for hint in self.diagnosis.hints],
        }
        if self.options.eval_all_saved_ckpts and self.evaluation is not None and not signal_number:
            self.evaluation.of_checkpoints(self.checkpoints.saved())
        return result, signal_number

    @contextmanager
    def _profile(self) -> Iterator[None]:
        """Records where the time goes, with `enable_profiling`; meant for trainings of a few steps."""
        if not (self.options.enable_profiling and self.runtime.is_main):
            yield
            return
        folder = Path(self.options.output_dir) / "profile"
        folder.mkdir(parents=True, exist_ok=True)
        profiler = ms.Profiler(output_path=str(folder.resolve()))
        yield
        profiler.analyse()
        _logger.info("profile: %s", folder)

    def _create_trainer(self) -> Trainer:
        options, learner = self.options, self.artifact.kind.learner()
        folder = Path(options.output_dir)
        plan = None
        if self.evaluation is not None:
            csv = CsvLog(folder / "eval_log.csv" if self.runtime.is_main else None, EVAL_COLUMNS)
            plan = EvaluationPlan(
                self.evaluate,
                self.evaluation.measured_on,
                options.eval_start_epoch,
                options.eval_interval,
                options.eval_interval_steps,
                options.eval_examples,
                csv,
                self.scalars,
                target=1.0 if options.overfit_batches else math.inf,
            )
            # An evaluation that is made up for writes its rows once.
            is_included = not plan.is_made_up_for(self.start, self.total_steps)
            csv.begin(self.start.images_seen, is_included, self.leaves_other)
        return Trainer(
            CRNNForTrain(
                self.network,
                self.loss,
                learner.create_unread(self.artifact),
                self.optimizer,
                options.clip_norm,
                is_distributed=self.runtime.world_size > 1,
                accumulate_steps=options.accumulate_steps,
                scaler=self.scaler,
                accuracy=self.accuracy,
                checks_status=self.scaler is not None and options.overflow_check == BY_STATUS,
                penalty=self.penalty,
            ),
            create_schedule(
                options.lr_schedule,
                self.peak_rate,
                self.total_steps,
                self.steps_per_epoch,
                options.warmup_steps,
                options.decay_steps,
                options.decay_rate,
                create_milestones(
                    options.lr_epochs,
                    options.lr_values,
                    self.peak_rate,
                    options.decay_rate,
                    self.peak_rate / options.learning_rate,
                )
                if options.lr_schedule == "epochs"
                else (),
            ),
            self.loader,
            self.checkpoints,
            Progress(
                self.total_steps,
                self.start.step,
                self.start.images_seen,
                self.steps_per_epoch,
                options.per_print_time,
                folder / "train_log.csv",
                self.runtime.is_main,
                self.scalars,
                has_accuracy=self.accuracy is not None,
                keeps_dropped=self.leaves_other,
            ),
            target_width=self.artifact.kind.score_shape(self.artifact)[0],
            average=self.average,
            evaluation=plan,
            ranks=self.ranks,
            keep_best=options.save_best_ckpt,
            masks=self._draw_masks,
            diagnosis=self.diagnosis,
            guard=FiniteGuard(
                Path(options.output_dir),
                self.artifact.preprocessing,
                f"_rank{self.runtime.rank}" if self.runtime.world_size > 1 else "",
            ),
            announce=self.runtime.profile.announce,
        )

    def _create_diagnosis(self, hints: Sequence[Hint]) -> Diagnosis:
        options = self.options
        rate = learning_rate_hint(
            options.optimizer, self.peak_rate, options.momentum, bool(options.pretrained)
        )
        return Diagnosis(
            options.diagnose_blank_steps,
            options.diagnose_flat_steps,
            self.artifact.codec.num_classes - 1,
            known=[*hints, *([rate] if rate else [])],
            is_logged=self.runtime.is_main,
        )

    def _checkpoint_to_resume(self) -> str:
        """The path that `resume_ckpt` means, "" for a new training."""
        if self.options.resume_ckpt != "auto":
            return self.options.resume_ckpt
        path = str(self.checkpoints.newest() or "")
        _logger.info(
            "resume_ckpt auto: %s", path or f"no checkpoint in {self.checkpoints.folder}, a new training"
        )
        return path

    def _starting_state(self, path: str) -> TrainState:
        """Restores the checkpoint `path`, or loads the weights of `pretrained`; returns where to go on."""
        options = self.options
        fresh = self._fresh_state()
        origin = path or resolve_model(options.pretrained)
        if not origin:
            if options.freeze_features:
                raise UserError("freeze_features needs trained features: give pretrained or resume_ckpt")
            self.checkpoints.begin(fresh)
            return fresh
        checkpoint = read_checkpoint(origin)
        if path:
            if checkpoint.artifact is not None:
                checkpoint.artifact.check_same_model(self.artifact, origin)
            state = self._beside_later(resumed_state(checkpoint, fresh, path), fresh, path)
            self.leaves_other = self._leaves_other(state, fresh, path)
            self.tensors.restore(checkpoint, path)
            self.checkpoints.begin(state, Path(path))
            _logger.info("resumed from %s at step %d", path, state.step)
            return state
        _logger.info("starting from the weights of %s", origin)
        self.artifact.kind.learner().load_pretrained(self.network, checkpoint, self.artifact, origin)
        if self.average is not None:
            self.average.restart()
        self.checkpoints.begin(fresh)
        return fresh

    def _beside_later(self, state: TrainState, fresh: TrainState, path: str) -> TrainState:
        """A state to go on from; as a new run where this one has later checkpoints, which stay."""
        # Those that `auto` has passed over are damaged.
        later = [] if self.options.resume_ckpt == "auto" else self.checkpoints.later(state)
        if not later:
            return state
        _logger.warning(
            "%s: its run has %d later checkpoints here, up to %s; they stay, its best is kept under another "
            "name, and a new run goes on from here",
            path,
            len(later),
            later[-1].name,
        )
        return replace(state, run=fresh.run, run_number=fresh.run_number)

    def _leaves_other(self, state: TrainState, fresh: TrainState, path: str) -> bool:
        """Whether results in `output_dir` beyond the start are more than a killed run's last steps."""
        if state.run == fresh.run or images_of_result(Path(self.options.output_dir)) > state.images_seen:
            return True
        return Path(path).resolve().parent != self.checkpoints.folder.resolve()

    def _fresh_state(self) -> TrainState:
        """Where a new run begins, with a name that follows from what it is."""
        facts = self.loader.facts
        number = self.checkpoints.runs_before()
        identity = {
            "model": self.artifact.to_json(),
            "weights": hash_weights(network_weights(self.network)),
            "options": {name: value for name, value in self.recorded.items() if name not in LENGTH},
            "pretrained": self.options.pretrained,
            "data": facts,
            "number": number,
        }
        return TrainState(
            steps_per_epoch=self.steps_per_epoch,
            seed=self.options.seed,
            run=digest_of(identity),
            run_number=number,
            options=self.recorded,
            data=facts,
            evaluated_step=0,  # none yet: one that a kill cuts off is made up for, the first too
        )

    def _write(self, path: str, state: TrainState) -> None:
        save_checkpoint(path, self.tensors.weights(), self.artifact, state, self.tensors.others())

    def _draw_masks(self, number: int, shape: tuple[int, ...]) -> tuple[npt.NDArray[np.generic], ...]:
        """The dropout of a batch: a pure function of the seed, its number and the process."""
        rng = np.random.Generator(np.random.PCG64([self.start.seed, number, self.runtime.rank]))
        return self.network.dropout_masks(shape[0], shape[3], rng)

    def _facts(self) -> dict[str, int]:
        """What all processes must start with."""
        weights = int(hash_weights(network_weights(self.network))[:12], 16)  # 48 bits
        data = {f"training data, {name}": _whole(value) for name, value in self.start.data.items()}
        return {
            "number of steps done": self.start.step,
            "number of steps an epoch": self.steps_per_epoch,
            "number of steps": self.total_steps,
            "hash of the weights": weights,
            **data,
        }

    def evaluate(self, is_stopped: IsStopped = lambda: False) -> dict[str, Evaluation]:
        """Evaluates the network as it is now, or its averaged weights where there are any.

        Empty on a process that leaves it to another.

        Raises:
            EvaluationStoppedError: If it is stopped, which is asked between batches.
        """
        if self.evaluation is None:
            raise RuntimeError("no evaluation was asked for")
        memory = {parameter.name: parameter.asnumpy() for parameter in self.loss.get_parameters()}
        return self.evaluation.of_weights(self.tensors.weights(), is_stopped, memory)


def _whole(value: int | str) -> int:
    """A fact of the data as a whole number that processes can compare, 48 bits of a hash."""
    return value if isinstance(value, int) else int(value[:12], 16)


def parameter_count(network: nn.Cell, name: str) -> str:
    """`V2, hidden size 256: 8,327,973 parameters`, and how many of them are trained where some are not."""
    counts = [(p.size, p.requires_grad) for p in network.get_parameters() if not p.name.endswith(_STATISTICS)]
    total, trained = sum(size for size, _ in counts), sum(size for size, is_trained in counts if is_trained)
    return f"{name}: {total:,} parameters" + (f", {trained:,} of them trained" if trained < total else "")
