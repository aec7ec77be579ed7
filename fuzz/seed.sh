#!/bin/sh
# Seeds from recorded evidence (CLAVIGER_VECTORS) and from the tree itself: corpus/<target>/ beside each
# package. None of them is kept in the tree.
set -eu
cd "$(dirname "$0")"
vectors=${CLAVIGER_VECTORS:-../../shared/vectors}
seed() {
    mkdir -p "$1"
    shift_to=$1
    shift
    for file in "$@"; do
        [ -f "$file" ] || continue
        cp "$file" "$shift_to/$(echo "$file" | tr / _ | tail -c 120)"
    done
}
seed sdk/corpus/cbor "$vectors"/nitro/*/*.bin "$vectors"/nitro/*/*.cbor "$vectors"/cca/*/*.cbor
seed sdk/corpus/event_log "$vectors"/tpm/*/*.bin "$vectors"/tdx/*/*.dat "$vectors"/tdx/*/*ccel*
seed sdk/corpus/hcl "$vectors"/az-*/*/hcl_report.bin
seed sdk/corpus/json "$vectors"/*/*/evidence.json
seed sdk/corpus/packed "$vectors"/*/*/*.pem "$vectors"/*/*/*.der "$vectors"/tdx/*/*.hex "$vectors"/tdx/*/*.json
seed sdk/corpus/tpm "$vectors"/*/*/*.msg "$vectors"/*/*/*.sig
seed host/corpus/certificates "$vectors"/*/*/*.der "$vectors"/*/*/*.pem "$vectors"/tdx/*/collateral*.json "$vectors"/roots/*/*
seed host/corpus/config ../host/src/config/full.toml
seed host/corpus/dcap "$vectors"/tdx/*/quote*.bin "$vectors"/sgx/*/quote*.bin "$vectors"/tdx/*/*.dat "$vectors"/sgx/*/*.dat "$vectors"/az-tdx/*/td_quote.bin
seed host/corpus/reference "$vectors"/nvidia/rims/*.xml "$vectors"/nvidia/*/*.xml "$vectors"/cca/*/corim*.cbor
seed host/corpus/snp "$vectors"/snp/*/report.bin "$vectors"/snp/*/*.bin
