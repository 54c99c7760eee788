"""Settings of a training, besides its network and samples; config.yaml explains each value."""

from collections.abc import Collection
from dataclasses import dataclass

from spatial_erasing.models import ModelSpec

NOISE_SOURCES = ("image", "brain")
PRECISIONS = ("float32", "bfloat16")
# The limits of the config's schema, for callers without a config.
LARGEST_AUGMENTATION = {"contrast": 2, "rotation_degrees": 45, "scale": 0.5, "shift_percent": 25}


@dataclass(frozen=True)
class ErasingSettings:
    """Limits and probability of the erasing, and the source of the noise; the defaults are the paper's."""

    probability: float = 0.5  # of erasing a sample, in [0, 1]
    minimum_share: float = 0.01  # of the input, in [0, 1]
    maximum_share: float = 0.25  # in (0, 1]
    maximum_regions: int = 10  # boxes of multi_cube
    maximum_slices: int = 32  # consecutive axial slices of half in 3-D
    noise_from: str = "image"  # all pixels of a sample, or "brain": those above 0

    def __post_init__(self) -> None:
        require_choice("noise_from", self.noise_from, NOISE_SOURCES)
        if not 0 <= self.probability <= 1:
            raise ValueError(
                f"probability is {self.probability}; expected 0 to 1. Correct it in config.yaml."
            )
        if not 0 <= self.minimum_share < self.maximum_share <= 1:
            raise ValueError(
                f"minimum_share is {self.minimum_share} and maximum_share {self.maximum_share}; expected "
                "0 <= minimum < maximum <= 1. They are fractions, not percent: write 0.25 for 25 %."
            )
        if min(self.maximum_regions, self.maximum_slices) < 1:
            raise ValueError(
                f"maximum_regions is {self.maximum_regions} and maximum_slices {self.maximum_slices}; "
                "expected 1 or more. Choose a model with erase: none to erase nothing."
            )


@dataclass(frozen=True)
class AugmentationSettings:
    """Random changes of a sample and its target; 0 and False switch a change off."""

    contrast: float = 0.0  # logarithm of the largest power of the intensity, 0 to 2
    mirror: bool = False  # exchange left and right in half of the samples
    rotation_degrees: float = 0.0  # largest rotation, in the plane of each pair of axes, 0 to 45
    scale: float = 0.0  # logarithm of the largest factor along each axis, 0 to 0.5
    shift_percent: float = 0.0  # largest shift along each axis, in percent of its length, 0 to 25

    def __post_init__(self) -> None:
        for name, largest in LARGEST_AUGMENTATION.items():
            if not 0 <= (value := getattr(self, name)) <= largest:
                raise ValueError(
                    f"train.augmentation.{name} is {value}; expected 0 (off) to {largest}. Correct it in "
                    "config.yaml, which says what it measures."
                )

    @property
    def moves_voxels(self) -> bool:
        """Whether samples are interpolated."""
        return bool(self.mirror or self.rotation_degrees or self.scale or self.shift_percent)


@dataclass(frozen=True)
class OptimisationSettings:
    """Batch size, learning rate and length of a training: `train.optimisation` of config.yaml."""

    batch_size: int
    learning_rate: float
    warmup_steps: int
    maximum_steps: int
    validate_every_steps: int
    patience_steps: int


@dataclass(frozen=True)
class ComputeSettings:
    """Precision, compilation and determinism of a training."""

    precision: str = "float32"  # or "bfloat16" for layers and their gradients; all else is float32
    compile: bool = False  # torch.compile, whose minute of compilation pays off on a GPU
    deterministic: bool = True  # bit-identical weights on the same device

    def __post_init__(self) -> None:
        require_choice("precision", self.precision, PRECISIONS)


@dataclass(frozen=True)
class TrainingSettings:
    """All settings of a training, besides its network and samples."""

    model: ModelSpec
    erasing: ErasingSettings
    augmentation: AugmentationSettings
    optimisation: OptimisationSettings
    computing: ComputeSettings
    seed: int


def require_choice(name: str, value: object, choices: Collection[object]) -> None:
    """Refuse a value that is not one of the choices, and list them."""
    if value not in choices:
        raise ValueError(
            f"{name} is {value!r}; expected one of {', '.join(map(str, choices))}. Correct it in config.yaml."
        )
