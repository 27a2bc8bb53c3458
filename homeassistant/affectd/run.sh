#!/bin/sh
# Starts affectd in the app: the options of the form become its configuration; a wrong one ends it with a sentence.
set -eu
affectd app-config
exec affectd run --config /data/affectd/config.yaml
