"""From a scan to its map of anomaly scores, before post-processing: a kind a module.

A kind has the literals `READS` and `SETTINGS` (the JSON schema of each of its values in config.yaml) and a
dataclass `Score` with these values as fields. What it reads decides which method it has and what is stored:

    READS = "reconstruction"    the model's reconstructions are stored once and serve all such scores
        score_map(scan, reconstruction, brain) -> np.ndarray (X, Y, Z)

    READS = "network"           its maps are stored; it may draw, fit and follow gradients
        score_maps(network, scans, healthy) -> Iterator of np.ndarray (X, Y, Z), one a subject
            network: trained, in evaluation mode, on its device
            scans: the split that is scored; its lesions are not looked at
            healthy: the healthy validation subjects

Maps are at least 0 and finite; what lies outside the brain does not count, as post-processing removes it.
"""
