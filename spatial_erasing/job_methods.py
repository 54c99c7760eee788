"""The config entries of each job: method, network and score, and the modules of their kinds."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spatial_erasing import registry
from spatial_erasing.entries import reads, stored_name
from spatial_erasing.models import Method, list_methods, trained_entries


class JobMethods:
    """The methods of a study with a checked config, looked up by the wildcards of a job."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        self.by_name = list_methods(config)
        self.example = self.by_name[config["study"]["example_model"]]
        self.networks = [name for name in config["models"] if not self.by_name[name].is_baseline]
        self.baselines = [name for name in config["models"] if self.by_name[name].is_baseline]
        self.trained = [name for name in self.networks if name in trained_entries(config)]
        self.rows_of_table_1 = [*config["study"]["table_1_models"], *config["study"]["baselines"]]
        self.rivals = self.rows_of_table_1 if config["report"]["rivals"] else []
        # The score stage stores reconstructions of models, and maps of methods whose score reads the network.
        self.with_maps = {
            stored_name(config, method.model, method.score): method
            for method in self.by_name.values()
            if not method.is_baseline and reads(config, method.score) == "network"
        }
        self.post_processing = {
            name: config["score"][name] for name in ("erosion_iterations", "median_size_voxels")
        }

    def of(self, wildcards: Any) -> Method:
        """The method of a job of any stage; the method of Figure 7 for a job without wildcards."""
        # stages use different wildcards for the same method
        names = (wildcards.get(name) for name in ("method", "stored", "baseline", "model"))
        name = next(filter(None, names), self.example.name)
        return self.with_maps.get(name) or self.by_name[name]

    def network(self, wildcards: Any) -> Mapping[str, Any]:
        """The settings of a model's network."""
        return self.config["networks"][self.of(wildcards).network]

    def paper_network(self) -> Mapping[str, Any]:
        """The settings of the paper's network."""
        return self.config["networks"][self.config["study"]["paper"]["network"]]

    def score(self, wildcards: Any) -> Mapping[str, Any]:
        """The settings of a method's score."""
        return self.config["scores"][self.of(wildcards).score]

    def scoring(self, wildcards: Any) -> dict[str, Any]:
        """A method's score and the post-processing of all scores."""
        return {"score": self.score(wildcards), "post_processing": self.post_processing}

    def model(self, wildcards: Any) -> dict[str, Any]:
        """Properties of a model that its training depends on, besides its network; not its title."""
        method = self.of(wildcards)
        return {"name": method.model, "spatial_dims": method.dims, "erase": method.erase, "fill": method.fill}

    def described(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """Methods as plain values, for figures and tables."""
        return [asdict(self.by_name[name]) for name in names]

    def of_paper(self) -> list[dict[str, Any]]:
        """The methods of the paper's claims, as plain values."""
        return self.described(name for name, method in self.by_name.items() if method.is_paper)

    # what the score stage stores

    def stored_of(self, method: Method) -> str:
        """The name under which the score stage stores reconstructions or maps of a method."""
        return method.model if method.is_baseline else stored_name(self.config, method.model, method.score)

    def stored_scores(self, wildcards: Any, split: str, cohort: str | None = None) -> str:
        """The file with a method's reconstructions or maps of one split."""
        run = f"fraction-{wildcards.percent}/seed-{wildcards.seed}"
        dataset = f"{cohort or wildcards.cohort}-{wildcards.sequence}"
        return f"results/score/{self.stored_of(self.of(wildcards))}/{run}/{dataset}/{split}.npz"

    def cost_of_scoring(self, wildcards: Any) -> str:
        """The benchmark of the job that stored a method's reconstructions or maps."""
        method = self.of(wildcards)
        rule = "reconstruct_baseline" if method.is_baseline else "reconstruct_scans"
        names = (self.stored_of(method), wildcards.percent, wildcards.seed, wildcards.cohort)
        return f"results/benchmarks/{rule}/{'-'.join((*names, wildcards.sequence))}.tsv"

    def score_to_store(self, wildcards: Any) -> Mapping[str, Any] | None:
        """The score whose maps are stored; None if reconstructions are stored."""
        return self.score(wildcards) if wildcards.stored in self.with_maps else None

    # modules that are part of the fingerprints of these jobs only

    def kinds_of_model(self, wildcards: Any) -> Iterator[Path]:
        """Modules of a model's network, erasing and fill."""
        method = self.of(wildcards)
        yield registry.NETWORKS.file(self.network(wildcards)["kind"])
        yield registry.ERASINGS.file(method.erase)
        if method.fill != "none":
            yield registry.FILLS.file(method.fill)

    def kinds_of_paper(self, wildcards: Any) -> Iterator[Path]:
        """Module of the paper's network."""
        yield registry.NETWORKS.file(self.paper_network()["kind"])

    def that_erase(self) -> list[Method]:
        """The methods of Figure 3: per dimensionality the trained methods with erasing, else all of them."""
        erasing = [method for method in self.by_name.values() if method.is_paper and method.erase != "none"]
        found = []
        for dims in (2, 3):
            of_dims = [method for method in erasing if method.dims == dims]
            found += [method for method in of_dims if method.model in self.trained] or of_dims
        return found

    def kinds_that_erase(self, wildcards: Any) -> Iterator[Path]:
        """Modules of every erasing and fill in Figure 3."""
        yield from sorted({registry.ERASINGS.file(method.erase) for method in self.that_erase()})
        yield from sorted({registry.FILLS.file(method.fill) for method in self.that_erase()})

    def kinds_of_score(self, wildcards: Any) -> Iterator[Path]:
        """Modules of a method's score, of the score that it is `of`, and of their erasings and fills."""
        for part in registry.parts_of(self.score(wildcards)):
            yield registry.SCORES.file(part["kind"])
            if (fill := part.get("fill", part.get("draws"))) in registry.FILLS.kinds():
                yield registry.FILLS.file(fill)
                if erasing := registry.SCORES.literal(part["kind"], "ERASING", None):
                    yield registry.ERASINGS.file(erasing)

    def kinds_to_store(self, wildcards: Any) -> Iterator[Path]:
        """Modules of a model's network and, for maps or a bundle, of its score."""
        yield registry.NETWORKS.file(self.network(wildcards)["kind"])
        if wildcards.get("stored") not in self.networks:  # which names reconstructions
            yield from self.kinds_of_score(wildcards)

    def kinds_of_baseline(self, wildcards: Any) -> Iterator[Path]:
        """Module of a baseline."""
        yield registry.BASELINES.file(self.of(wildcards).baseline)
