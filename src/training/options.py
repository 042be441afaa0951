"""The options that a training is built from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingOptions:
    """The options of default_config.yaml that a training is built from, under the same names."""

    epoch_size: int
    max_steps: int
    learning_rate: float
    scale_learning_rate: bool
    lr_schedule: str
    warmup_steps: int
    decay_steps: int
    decay_rate: float
    accumulate_steps: int
    optimizer: str
    momentum: float
    nesterov: bool
    amp_level: str
    loss_scale: float
    weight_decay: float
    clip_norm: float
    ema_decay: float
    seed: int
    use_dropout: bool
    per_print_time: int
    resume_ckpt: str
    pretrained: str
    freeze_features: bool
    output_dir: str
    enable_profiling: bool
    tensorboard: bool
    save_checkpoint: bool
    save_checkpoint_steps: int
    keep_checkpoint_max: int
    save_checkpoint_path: str
    on_save_failure: str
    eval_all_saved_ckpts: bool
    save_best_ckpt: bool
    eval_start_epoch: int
    eval_interval: int
    eval_interval_steps: int
    eval_ranks: str
    eval_examples: int
    overfit_batches: int
    diagnose_blank_steps: int
    diagnose_flat_steps: int
