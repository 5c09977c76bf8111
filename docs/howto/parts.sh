#!/bin/sh
# Summarise a table in N parts, one after the other, and merge them: sh parts.sh CONFIG N
set -eu
config=$1 n=$2
parts=
for i in $(seq 1 "$n"); do
    linreg stats -c "$config" --part "$i/$n" -o "part-$i.safetensors"
    parts="$parts part-$i.safetensors"
done
linreg stats merge $parts -o all.safetensors
