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
        cp "$file" "$shift_to/$(echo "$file" | sed 's|^[./]*||; s|/|_|g' | tail -c 120)"
    done
}
seed sdk/corpus/cbor "$vectors"/nitro/*/*.bin "$vectors"/nitro/*/*.cbor "$vectors"/cca/*/*.cbor
seed sdk/corpus/cca "$vectors"/cca/*/*.cbor "$vectors"/cca/*/*.bin
seed sdk/corpus/event_log "$vectors"/tpm/*/*.bin "$vectors"/tdx/*/*.dat "$vectors"/tdx/*/*ccel*
seed sdk/corpus/hcl "$vectors"/az-*/*/hcl_report.bin
mkdir -p sdk/corpus/ima
{
    printf '10 %040d ima-ng sha256:%064d boot_aggregate\n' 1 2
    printf '10 %040d ima-sig sha256:%064d /bin/sh 0302aa\n10 %040d ima %040d /bin/true\n' 1 2 1 2
} > sdk/corpus/ima/ascii
printf '\012\000\000\000aaaaaaaaaaaaaaaaaaaa\003\000\000\000imabbbbbbbbbbbbbbbbbbbb\001\000\000\000/' > sdk/corpus/ima/binary
seed sdk/corpus/json "$vectors"/*/*/evidence.json
seed sdk/corpus/nitro "$vectors"/nitro/*/*.bin "$vectors"/nitro/*/*.cbor
seed sdk/corpus/nvidia "$vectors"/nvidia/*/*.json "$vectors"/nvidia/*/*.bin "$vectors"/nvidia/*/*.hex "$vectors"/nvidia/*/*.txt
seed sdk/corpus/packed "$vectors"/*/*/*.pem "$vectors"/*/*/*.der "$vectors"/tdx/*/*.hex "$vectors"/tdx/*/*.json
seed sdk/corpus/tpm "$vectors"/*/*/*.msg "$vectors"/*/*/*.sig
seed sdk/corpus/tpm_evidence "$vectors"/tpm/*/*.json "$vectors"/tpm/*/*.pb "$vectors"/tpm/*/*.bin "$vectors"/tpm/*/*.der
seed host/corpus/certificates "$vectors"/*/*/*.der "$vectors"/*/*/*.pem "$vectors"/tdx/*/collateral*.json "$vectors"/roots/*/*
seed host/corpus/config ../host/src/config/full.toml
seed host/corpus/dcap "$vectors"/tdx/*/quote*.bin "$vectors"/sgx/*/quote*.bin "$vectors"/tdx/*/*.dat "$vectors"/sgx/*/*.dat "$vectors"/az-tdx/*/td_quote.bin
seed host/corpus/reference "$vectors"/nvidia/rims/*.xml "$vectors"/nvidia/*/*.xml "$vectors"/cca/*/corim*.cbor
seed host/corpus/snp "$vectors"/snp/*/report.bin "$vectors"/snp/*/*.bin
