"""All that defines a training beside its network and its samples; config.yaml explains each value."""

from collections.abc import Collection
from dataclasses import dataclass

from spatial_erasing.models import ModelSpec

NOISE_SOURCES = ("image", "brain")
PRECISIONS = ("float32", "bfloat16")
LARGEST_AUGMENTATION = {"contrast": 2, "rotation_degrees": 45, "scale": 0.5, "shift_percent": 25}


@dataclass(frozen=True)
class ErasingSettings:
    """How much is erased, how often, and where noise comes from; the defaults are the paper's.

    Args:
        probability: share of the samples that are erased at all, in [0, 1].
        minimum_share: smallest part of the input that cubes cover, in [0, 1].
        maximum_share: largest part, in (0, 1], above `minimum_share`.
        maximum_regions: most boxes of multi_cube.
        maximum_slices: most consecutive axial slices of half in 3-D.
        noise_from: "image" draws noise from all pixels of a sample, "brain" from those above 0.
    """

    probability: float = 0.5
    minimum_share: float = 0.01
    maximum_share: float = 0.25
    maximum_regions: int = 10
    maximum_slices: int = 32
    noise_from: str = "image"

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
    """What is changed in a sample and in its target alike; 0 and False switch a change off.

    Args:
        contrast: logarithm of the largest power of the intensity, 0 to 2.
        mirror: exchange left and right of half of the samples.
        rotation_degrees: largest rotation, in the plane of each two axes of the grid, 0 to 45.
        scale: logarithm of the largest factor along each axis, 0 to 0.5.
        shift_percent: largest shift along each axis, in percent of its length, 0 to 25.
    """

    contrast: float = 0.0
    mirror: bool = False
    rotation_degrees: float = 0.0
    scale: float = 0.0
    shift_percent: float = 0.0

    def __post_init__(self) -> None:
        for name, largest in LARGEST_AUGMENTATION.items():
            if not 0 <= (value := getattr(self, name)) <= largest:
                raise ValueError(
                    f"train.augmentation.{name} is {value}; expected 0 (off) to {largest}. Correct it in "
                    "config.yaml, which says what it measures."
                )

    @property
    def moves_voxels(self) -> bool:
        """Whether a sample has to be interpolated."""
        return bool(self.mirror or self.rotation_degrees or self.scale or self.shift_percent)


@dataclass(frozen=True)
class OptimisationSettings:
    """How long and how fast to train; the `train.optimisation` section of config.yaml explains each value."""

    batch_size: int
    learning_rate: float
    warmup_steps: int
    maximum_steps: int
    validate_every_steps: int
    patience_steps: int


@dataclass(frozen=True)
class ComputeSettings:
    """How a network computes while it trains.

    Args:
        precision: "float32", or "bfloat16" for layers and their gradients; weights, losses and the optimiser
            are float32 either way.
        compile: fuse the layers by torch.compile; worth its minute of compilation on a GPU.
        deterministic: the same weights bit for bit on the same device.
    """

    precision: str = "float32"
    compile: bool = False
    deterministic: bool = True

    def __post_init__(self) -> None:
        require_choice("precision", self.precision, PRECISIONS)


@dataclass(frozen=True)
class TrainingSettings:
    """All that defines a training beside its network and its samples.

    Args:
        model: which erasing the network trains with.
        erasing: how much is erased.
        augmentation: what is changed in input and target alike.
        optimisation: batch, rate and length.
        computing: precision, and whether the layers are compiled.
        seed: of all that is drawn.
    """

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
