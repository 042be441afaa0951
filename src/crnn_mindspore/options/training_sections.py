"""The options of training, a class a section of default_config.yaml."""

from typing import Literal

from pydantic import Field

from crnn_mindspore.options.base import ListText, Number, Options, PathText, Text, Whole
from crnn_mindspore.options.common import PositionsText


class TrainingDataOptions(Options):
    """Training data."""

    train_dataset: Text = Field(
        description="name of the data set or its layout; render makes its images while training"
    )
    train_dataset_path: PathText = Field(description="its folder; render needs none")
    max_text_length: Whole = Field(ge=1, description="characters; longer words are not trained on")


class LoadingOptions(Options):
    """Training data, in which order and form."""

    augment: Literal["none", "light", "strong"] = Field(
        description="distortion of training images from files"
    )
    augment_scale: Number = Field(
        ge=0, lt=1, description="training images are enlarged or reduced by up to this share; 0: not"
    )
    augment_crop: Number = Field(
        ge=0, lt=0.5, description="up to this share is cut off each side of a training image; 0: nothing"
    )
    balance: Text = Field(
        description="output positions: name of the position whose classes are to come equally often in an "
        "epoch; empty: every image once"
    )
    ordered_epochs: Whole = Field(
        ge=0, description="first epochs read in file order (easy words first, if the files are so ordered)"
    )
    last_batch: Literal["auto", "drop", "fill"] = Field(
        description="too few images left for a batch on every device: fill up with the epoch's first ones, "
        "or drop; auto: fill on several devices, else drop"
    )


class LearningOptions(Options):
    """Training."""

    run_distribute: bool = Field(description="data-parallel training over several devices")
    accumulate_steps: Whole = Field(
        ge=1, description="batches that make one step: their gradients are averaged"
    )
    epoch_size: Whole = Field(ge=1, description="epochs")
    max_steps: Whole = Field(
        ge=0,
        description="stop after this many steps, counted from the start of training; 0: epoch_size decides",
    )
    learning_rate: Number = Field(gt=0, description="its peak")
    scale_learning_rate: bool = Field(description="multiply it by the number of devices")
    lr_schedule: Literal[
        "cosine_epoch", "cosine_step", "trapezoid", "constant", "one_cycle", "step_decay", "epochs"
    ] = Field(description="see src/crnn_mindspore/training/updates/lr_schedule.py")
    warmup_steps: Whole = Field(
        ge=0,
        description="steps of rise to learning_rate; not in cosine_epoch and constant; one_cycle: 0 is 30 %",
    )
    decay_steps: Whole = Field(
        ge=0, description="trapezoid: last steps, of a linear fall to 0; step_decay: steps between two falls"
    )
    decay_rate: Number = Field(
        description="step_decay, epochs without lr_values: what the learning rate is multiplied by in a fall"
    )
    lr_epochs: ListText = Field(
        description="epochs: the learning rate changes after these, as 10,140; before, it is learning_rate"
    )
    lr_values: ListText = Field(
        description="epochs: the learning rate after each, as 1e-3,1e-4; empty: decay_rate times that before"
    )
    optimizer: Literal["sgd", "momentum", "adam", "adamw", "radam", "rmsprop", "adadelta"] = Field(
        description="see src/crnn_mindspore/training/updates/optimizers.py"
    )
    momentum: Number = Field(description="sgd, momentum")
    nesterov: bool = Field(description="sgd")
    use_dropout: bool = Field(description="V1: dropout 0.1 between the LSTM layers")
    amp_level: Literal["auto", "O0", "O2"] = Field(
        description="O2: half precision but for batch norm and loss; O0: float32; auto: O2 on Ascend"
    )
    loss_scale: ListText = Field(
        description="where something computes in half precision; 0: dynamic, halved when gradients overflow, "
        "doubled after 2,000 updates without; auto: 512 on Ascend, else 0"
    )
    weight_decay: Number = Field(
        description="L2 penalty on the weights, not on biases and batch norm; adamw, radam: decoupled"
    )
    gamma_decay: Number = Field(description="the same on the gamma of batch norm")
    gamma_l1: Number = Field(
        ge=0,
        description="L1 penalty on the gamma of batch norm, for `crnn prune`: channels that do little go to "
        "0; adamw, radam: decoupled; 0: none",
    )
    clip_norm: Number = Field(ge=0, description="gradients are scaled down to this global norm; 0: never")
    ema_decay: Number = Field(
        ge=0,
        lt=1,
        description="decay a step of the averaged weights that are evaluated and exported; 0: no averaging",
    )
    seed: Whole = Field(ge=0, le=2**32 - 1, description="of the initial weights and the order of the data")
    per_print_time: Whole = Field(ge=1, description="steps between two log lines")
    tensorboard: bool = Field(description="also write the log to output_dir/tensorboard, for TensorBoard")
    enable_profiling: bool = Field(
        description="write a MindSpore profile of the training to output_dir/profile"
    )
    resume_ckpt: PathText = Field(
        description="checkpoint to continue exactly; auto: the newest whole one in save_checkpoint_path"
    )
    pretrained: PathText = Field(
        description="checkpoint whose weights to start from; characters of another label_dict are matched"
    )
    freeze_features: bool = Field(
        description="with pretrained: leave the convolutions as they are (of positions all but the last "
        "layer), train the rest alone"
    )
    overfit_batches: Whole = Field(
        ge=0,
        description="self-check: learn so many batches by heart, exit status 0 if that works; 0: train",
    )
    diagnose_blank_steps: Whole = Field(
        ge=0,
        description="updates in a row with blank outputs alone after which a warning says why; 0: never",
    )
    diagnose_flat_steps: Whole = Field(
        ge=0,
        description="updates over which the loss must fall while it is high, or a warning comes; 0: never",
    )


class AscendTrainingOptions(Options):
    """Training on Ascend."""

    ctc_operator: Literal["auto", "ctc_loss", "CTCLoss"] = Field(
        description="output ctc: MindSpore's operator of the loss, in float32; auto: CTCLoss on Ascend"
    )
    overflow_check: Literal["auto", "norm", "status"] = Field(
        description="how overflow in half precision is seen: norm, in the gradients' norm; status, by "
        "amp.all_finite, which on the first 910 asks the device; auto: status on Ascend"
    )
    deterministic: bool = Field(
        description="Ascend, GPU: operators that give the same bits at every run, which exact resumption "
        "needs; slower; a CPU is so anyway"
    )


class RenderingOptions(Options):
    """Training on rendered words (train_dataset: render)."""

    renderer: Text = Field(
        description="output positions: what makes the images, characters or plates; a task names it"
    )
    plates: PositionsText = Field(
        description="renderer plates: how they look, as a mapping in the yaml of a task, or the path of a "
        "yaml that holds it; see docs/plates.md"
    )
    render_words: PathText = Field(
        description="file with one word a line; empty: built-in English words; of characters: those that "
        "half of the first images show, and fewer later"
    )
    render_fonts: PathText = Field(description="folder with typefaces beside those of the machine")
    render_photos: PathText = Field(description="folder of photographs that are blended into the words")
    render_effects: PathText = Field(description="yaml laid over configs/effects.yaml")
    render_only_fonts: bool = Field(description="use no typefaces but those of render_fonts")
    render_lines: bool = Field(
        description="lines of a large alphabet, as Chinese, instead of words; see configs/line_effects.yaml"
    )
    render_text: PathText = Field(
        description="lines: file of running text or phrases; empty: phrases of Chinese words"
    )
    render_length: Text = Field(
        description="lines: characters, 10 or 1:20; empty: as each kind of line has it"
    )
    render_rare: Number = Field(
        ge=0, le=1, description="lines: share of those whose characters come from the alphabet at random"
    )
    render_hold_out: ListText = Field(
        description="characters: typefaces that are kept out, beginnings of their file names, comma between"
    )
    render_held_out: bool = Field(
        description="characters: use the typefaces that render_hold_out keeps out, and no others"
    )
    render_split: Literal["train", "all"] = Field(
        description="whose words: train leaves out those that `crnn render --num_test` shows"
    )
    render_ramp_start: Whole = Field(ge=0, description="images rendered plainly before the effects begin")
    render_ramp_end: Whole = Field(ge=0, description="images after which the effects are at full strength")
    render_epoch_images: Whole = Field(ge=1, description="images that count as an epoch")


class PositionsLossOptions(Options):
    """Loss of positions (output: positions)."""

    loss: Literal["cross_entropy", "focal", "ghm"] = Field(
        description="focal: less weight on what is read right already; ghm: on what many images share"
    )
    label_smoothing: Number = Field(
        ge=0, lt=1, description="share of the truth that is spread evenly over the classes of a position"
    )
    focal_gamma: Number = Field(ge=0, description="focal: how much less")
    focal_alpha: Number = Field(gt=0, description="focal: factor of all")
    ghm_bins: Whole = Field(ge=1, description="ghm: bins of the gradients' sizes")
    ghm_momentum: Number = Field(ge=0, lt=1, description="ghm: share of the old counts in the moving average")
    ghm_joint: bool = Field(description="ghm: one histogram over all positions in place of one each")


class CheckpointOptions(Options):
    """Checkpoints."""

    output_dir: PathText = Field(
        description="logs and results; auto: a new folder of the date and time under ./output"
    )
    save_checkpoint: bool = Field(description="False saves none but the best and the last")
    save_checkpoint_steps: Whole = Field(ge=1, description="steps between two checkpoints")
    save_checkpoint_epochs: Whole = Field(
        ge=0,
        description="epochs between two checkpoints, beside those of save_checkpoint_steps; 0: no others",
    )
    keep_checkpoint_max: Whole = Field(ge=1, description="older ones are removed")
    save_checkpoint_path: PathText = Field(description="their folder")
    on_save_failure: Literal["stop", "continue"] = Field(
        description="when one cannot be written, as on a full disk"
    )


class WatchOptions(Options):
    """Evaluation while training."""

    run_eval: bool = Field(description="evaluate while training")
    train_eval_dataset: Text = Field(description="on this data set, or on several: names with commas between")
    train_eval_dataset_path: PathText = Field(
        description="in this folder, or these; empty: eval_dataset in eval_dataset_path"
    )
    eval_all_saved_ckpts: bool = Field(description="after training, evaluate every checkpoint that was kept")
    save_best_ckpt: bool = Field(description="keep the checkpoint with the best word accuracy")
    eval_start_epoch: Whole = Field(ge=0, description="epochs before the first evaluation")
    eval_interval: Whole = Field(ge=1, description="epochs between two evaluations")
    eval_interval_steps: Whole = Field(
        ge=0, description="evaluate after every so many steps too; 0: only after epochs and at the end"
    )
    eval_ranks: Literal["main", "shared"] = Field(
        description="on several devices: rank 0 evaluates and the others wait, or all share the work"
    )
    eval_max_images: Whole = Field(
        ge=0,
        description="images of each data set read in an evaluation while training, spread evenly over it, "
        "which is marked as partial; 0: all",
    )
    eval_examples: Whole = Field(
        ge=0, description="words of each data set shown with their best path after an evaluation"
    )


class SessionOptions(
    WatchOptions, CheckpointOptions, PositionsLossOptions, AscendTrainingOptions, LearningOptions
):
    """What a training is built from."""
