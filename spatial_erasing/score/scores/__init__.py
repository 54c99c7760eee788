"""Kinds of scores, one module each: from a scan to its map of anomaly scores, before post-processing.

A kind has the literals `READS` and `SETTINGS` (the JSON schema of each of its values in config.yaml) and a
dataclass `Score` with these values as fields. `READS` determines its method and the stored arrays:

    READS = "reconstruction"    the model's reconstructions are stored once for all such scores
        score_map(scan, reconstruction, brain) -> np.ndarray (X, Y, Z)

    READS = "network"           its maps are stored; it may sample, fit and use gradients
        score_maps(network, scans, healthy) -> Iterator of np.ndarray (X, Y, Z), one per subject;
        `reconstruct.ScoreOfSamples` has it for scores that need one scan at a time
            network: trained, in evaluation mode, on its device
            scans: the split to score; it must not use the lesions
            healthy: the healthy validation subjects; None in a bundle

Maps are at least 0 and finite; post-processing sets voxels outside the brain to 0. Thresholds are searched
between threshold.lower and upper, 0 and 1 in the paper's study: a score without an upper limit returns
`maps.bounded`.

A kind that reads the network has the literal NEEDS_HEALTHY, whether it uses `healthy`: a bundle has none.

A setting `of` holds kind and settings of another score (`relative.py`); the literal OF_READS =
"reconstruction" allows only scores that read reconstructions there. A kind that calls the network's
`encode` and `decode` has the literal NEEDS_LATENT: the settings with which it calls them, {} for all. The
module of a network with both methods has the literal HAS_LATENT. A setting `fill` or `draws` may name a fill;
a kind that also draws regions has the literal ERASING, the kind of these. Both modules count in the
fingerprint of the score's maps.
"""
