/* SPDX-License-Identifier: Apache-2.0 */
/* What the RP2350's boot ROM looks for in the first 4 KB of the flash: a loop of one block that declares a secure Arm
 * image (RP2350 datasheet 5.9.5.1). It lies behind the vector table, where the ROM finds stack and entry. */
    .section .image_def, "a"
    .balign 4
    .word 0xFFFFDED3 /* a block starts */
    .word 0x10210142 /* item 42h, IMAGE_TYPE, one word: executable, secure, Arm, RP2350 */
    .word 0x000001FF /* last item; one word of items before it */
    .word 0x00000000 /* the next block: itself */
    .word 0xAB123579 /* a block ends */
