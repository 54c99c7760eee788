from tensorboardX.proto.event_pb2 import Event, SessionLog

from spatial_erasing.jobs.tensorboard import CurveWriter


def events_of(folder):
    """The records of all event files, oldest first: length, a checksum, content, a checksum."""
    content, place = b"".join(path.read_bytes() for path in sorted(folder.iterdir())), 0
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


def test_a_training_that_goes_on_takes_back_what_was_written_beyond_its_checkpoint(tmp_path):
    """As TensorBoard reads it: a start at a step discards the points of earlier starts from there on."""
    first, second = CurveWriter(tmp_path), CurveWriter(tmp_path)
    for step, value in ((250, 0.5), (500, 0.25)):  # the checkpoint of step 500 was not written in time
        first({"step": step, "l1": value})
    first.writer.close()
    second({"step": 500, "l1": 0.125})
    second.writer.close()

    points = {}
    for event in events_of(tmp_path):
        if event.HasField("session_log") and event.session_log.status == SessionLog.START:
            points = {step: value for step, value in points.items() if step < event.step}
        for value in event.summary.value:
            assert event.step not in points
            points[event.step] = value.simple_value
    assert points == {250: 0.5, 500: 0.125}


def test_a_training_that_has_written_nothing_leaves_no_curve(tmp_path):
    CurveWriter(tmp_path / "curves")
    assert not (tmp_path / "curves").exists()
