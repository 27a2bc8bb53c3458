"""affectd on the workstation: corpora, splits, augmentation, the network, fitting and evaluation."""
