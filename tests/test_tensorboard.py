from tensorboardX.proto.event_pb2 import Event

from spatial_erasing.tensorboard import CurveWriter


def events_of(folder):
    """The records of an event file: length, a checksum, content, a checksum."""
    (path,) = folder.iterdir()
    content, place = path.read_bytes(), 0
    while place < len(content):
        length = int.from_bytes(content[place : place + 8], "little")
        yield Event.FromString(content[place + 12 : place + 12 + length])
        place += 8 + 4 + length + 4


def test_every_number_of_a_row_is_a_point_over_its_step(tmp_path):
    write = CurveWriter(tmp_path)
    write({"step": 250, "epoch": 2.5, "training_l1": 0.25, "validation_l1": 0.5, "active_units": 7})
    write({"step": 500, "epoch": 5.0, "training_l1": 0.125, "validation_l1": 0.25, "active_units": 9})
    write.writer.close()
    points = {
        (value.tag, event.step): value.simple_value
        for event in events_of(tmp_path)
        for value in event.summary.value
    }
    assert points == {
        ("epoch", 250): 2.5,
        ("l1/training", 250): 0.25,
        ("l1/validation", 250): 0.5,
        ("active_units", 250): 7,
        ("epoch", 500): 5.0,
        ("l1/training", 500): 0.125,
        ("l1/validation", 500): 0.25,
        ("active_units", 500): 9,
    }
