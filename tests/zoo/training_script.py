"""Test data: a training as one writes it on the model zoo's modules; it knows nothing of this project."""

import os

from mindspore import context, nn
from mindspore.common import set_seed
from mindspore.nn.wrap import WithLossCell
from mindspore.train.callback import CheckpointConfig, LossMonitor, ModelCheckpoint
from mindspore.train.model import Model

from src.crnn import crnn
from src.crnn_for_train import TrainOneStepCellWithGradClip
from src.dataset import create_dataset
from src.eval_callback import EvalCallBack
from src.loss import CTCLoss
from src.metric import CRNNAccuracy
from src.model_utils.config import config
from src.model_utils.device_adapter import get_device_num, get_rank_id
from src.model_utils.moxing_adapter import moxing_wrapper

set_seed(1)
context.set_context(mode=context.GRAPH_MODE, device_target=config.device_target, save_graphs=False)


def apply_eval(parameters):
    found = parameters["model"].eval(parameters["dataset"], dataset_sink_mode=False)
    return found[parameters["metrics_name"]]


@moxing_wrapper()
def train():
    config.rank_id = get_rank_id()
    config.save_ckpt_dir = os.path.join(config.output_dir, "ckpt")
    data = create_dataset(
        name=config.train_dataset,
        dataset_path=config.train_dataset_path,
        batch_size=config.batch_size,
        num_shards=get_device_num(),
        shard_id=config.rank_id,
        config=config,
    )
    loss = CTCLoss(
        max_sequence_length=config.num_step,
        max_label_length=config.max_text_length,
        batch_size=config.batch_size,
    )
    net = crnn(config, full_precision=config.device_target != "Ascend")
    optimizer = nn.SGD(
        net.trainable_params(),
        learning_rate=config.learning_rate,
        momentum=config.momentum,
        nesterov=config.nesterov,
    )
    step = TrainOneStepCellWithGradClip(WithLossCell(net, loss), optimizer).set_train()
    callbacks = [LossMonitor(per_print_times=data.get_dataset_size())]
    if config.run_eval and config.rank_id == 0:
        eval_data = create_dataset(
            config.train_eval_dataset,
            config.train_eval_dataset_path,
            batch_size=config.batch_size,
            is_training=False,
            config=config,
        )
        eval_model = Model(net, loss, metrics={"CRNNAccuracy": CRNNAccuracy(config, print_flag=False)})
        callbacks.append(
            EvalCallBack(
                apply_eval,
                {"model": eval_model, "dataset": eval_data, "metrics_name": "CRNNAccuracy"},
                interval=config.eval_interval,
                eval_start_epoch=config.eval_start_epoch,
                save_best_ckpt=config.save_best_ckpt,
                ckpt_directory=config.save_ckpt_dir,
                best_ckpt_name="best_acc.ckpt",
                eval_all_saved_ckpts=config.eval_all_saved_ckpts,
                metrics_name="acc",
            )
        )
    if config.save_checkpoint and config.rank_id == 0:
        saving = CheckpointConfig(
            config.save_checkpoint_steps, keep_checkpoint_max=config.keep_checkpoint_max
        )
        callbacks.append(ModelCheckpoint(prefix="crnn", directory=config.save_ckpt_dir, config=saving))
    Model(step).train(
        config.epoch_size, data, callbacks=callbacks, dataset_sink_mode=config.device_target == "Ascend"
    )


if __name__ == "__main__":
    train()
