"""Errors of the preparation, reworded for the command: its options in place of keys of config.yaml."""

import re

# Pattern in an error of the preparation, and its replacement.
ADVICE = (
    (r"a mask of your own \(skull_strip: given\)", "a brain mask of your own (--brain-mask)"),
    (r", widen preprocess\.brain_range_ml", ""),
    (r",? or leave out this subject", ""),
    (r"\. Look at it; exclude this subject if the missing part matters\.", ". Does the missing part matter?"),
    (r"; leave out this subject if they matter", ""),
    (r" Or set preprocess\.percentiles_of to brain\.", ""),
    (r"preprocess\.percentiles_of is none, which expects", "the model expects"),
    (r"Set it to brain, or scale the scan", "Scale the scan"),
    (r"skull_strip: (\S+) needs", r"the skull strip \1 needs"),
    (r", or set another skull_strip, such as deepbet", ", or give --brain-mask"),
    (r"start with fewer --cores", "give fewer --workers"),
    (r"pip install -r requirements\.txt", 'pip install "spatial-erasing[workflow]"'),
    (r"Correct its row in the cohort's table or its folder in config\.yaml", "Correct its path"),
    (r"a file that the user of the study may read", "a file that you may read"),
)


def for_the_command(text: str) -> str:
    """An error of the preparation, reworded for a user of the command, who has no study."""
    for of_study, of_command in ADVICE:
        text = re.sub(of_study, of_command, text)
    return text
