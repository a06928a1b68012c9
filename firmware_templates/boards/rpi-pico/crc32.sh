# SPDX-License-Identifier: Apache-2.0
# Prints an assembler source that holds the CRC which the RP2040's boot ROM wants behind the 252 bytes of a boot2
# (RP2040 datasheet 2.8.1.3.1): polynomial 0x04C11DB7, most significant bit first, starts from and ends without
# inverting: initial value 0xFFFFFFFF, no final XOR.
set -eu
crc=$((0xFFFFFFFF))
count=0
for byte in $(od -An -v -tu1 "$1"); do
    crc=$((crc ^ byte << 24))
    for _ in 1 2 3 4 5 6 7 8; do
        if [ $((crc >> 31 & 1)) -eq 1 ]; then
            crc=$(((crc << 1 ^ 0x04C11DB7) & 0xFFFFFFFF))
        else
            crc=$((crc << 1 & 0xFFFFFFFF))
        fi
    done
    count=$((count + 1))
done
if [ "$count" -ne 252 ]; then
    echo "$1: $count bytes, expected 252" >&2
    exit 1
fi
printf '    .section .boot2.crc, "a"\n    .word 0x%08x\n' "$crc"
