"""Test data: an evaluation as one writes it on the model zoo's modules; it knows nothing of this project."""

from mindspore import context
from mindspore.common import set_seed
from mindspore.train.model import Model
from mindspore.train.serialization import load_checkpoint, load_param_into_net

from src.crnn import crnn
from src.dataset import create_dataset
from src.loss import CTCLoss
from src.metric import CRNNAccuracy
from src.model_utils.config import config
from src.model_utils.device_adapter import get_device_id
from src.model_utils.moxing_adapter import moxing_wrapper

set_seed(1)
context.set_context(mode=context.GRAPH_MODE, device_target=config.device_target, save_graphs=False)


@moxing_wrapper(pre_process=None)
def evaluate():
    is_ascend = config.device_target == "Ascend"
    if is_ascend:
        context.set_context(device_id=get_device_id())
    config.batch_size = 1
    data = create_dataset(
        name=config.eval_dataset,
        dataset_path=config.eval_dataset_path,
        batch_size=config.batch_size,
        is_training=False,
        config=config,
    )
    loss = CTCLoss(
        max_sequence_length=config.num_step,
        max_label_length=config.max_text_length,
        batch_size=config.batch_size,
    )
    net = crnn(config, full_precision=not is_ascend)
    load_param_into_net(net, load_checkpoint(config.checkpoint_path))
    net.set_train(False)
    model = Model(net, loss_fn=loss, metrics={"CRNNAccuracy": CRNNAccuracy(config)})
    print("result:", model.eval(data, dataset_sink_mode=is_ascend), flush=True)


if __name__ == "__main__":
    evaluate()
