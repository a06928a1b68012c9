/* SPDX-License-Identifier: Apache-2.0 */
/* The second stage of the RP2040's boot: sets the serial flash up for execution in place, four bits at a time, and
 * starts the firmware behind it.
 *
 * The boot ROM runs these bytes from RAM (0x20041F00), so code is position independent: no absolute branches.
 * Sources: RP2040 datasheet 2.8.1.3 (what the ROM does), 4.10 (SSI), 2.4.8 (VTOR); W25Q16JV datasheet 8.2 (commands).
 *
 * The flash is read with EBh, Fast Read Quad I/O: on four lines 24 bits of address, 8 mode bits that say "no command
 * byte next time", 4 dummy clocks, data.
 */
    .syntax unified
    .cpu cortex-m0plus
    .thumb

    .equ SSI, 0x18000000
    .equ CTRLR0, 0x00
    .equ CTRLR1, 0x04
    .equ SSIENR, 0x08
    .equ BAUDR, 0x14
    .equ SR, 0x28
    .equ DR0, 0x60
    .equ SPI_CTRLR0_HIGH, 0xF4 /* offset; too far for STR with a 5-bit one */
    .equ RX_SAMPLE_DLY_HIGH, 0xF0

    .equ SR_BUSY, 1
    .equ SR_TFE, 4 /* transmit FIFO empty */

    .equ CLOCK_DIVISOR, 2 /* of the system clock; even. The flash takes 133 MHz, the system clock is at most that */
    .equ SAMPLE_DELAY, 1  /* system clocks later than the edge, for the pads */

    .equ FRAMES_OF_8, 7 << 16
    .equ FRAMES_OF_32, 31 << 16
    .equ SEND_AND_RECEIVE, 0 << 8
    .equ READ_AFTER_COMMAND, 3 << 8 /* the SSI's "EEPROM read": command, address, then data */
    .equ FOUR_LINES, 2 << 21

    .equ ADDRESS_AND_MODE_32_BITS, 8 << 2 /* in units of 4 bits */
    .equ DUMMY_CLOCKS_4, 4 << 11
    .equ COMMAND_8_BITS, 2 << 8
    .equ COMMAND_NONE, 0 << 8
    .equ COMMAND_ON_ONE_LINE, 1 /* and the address on four */
    .equ ALL_ON_FOUR_LINES, 2

    .equ READ_QUAD, 0xEB
    .equ MODE_CONTINUOUS, 0xA0
    .equ READ_STATUS_1, 0x05
    .equ READ_STATUS_2, 0x35
    .equ WRITE_STATUS, 0x01
    .equ WRITE_ENABLE, 0x06
    .equ STATUS_1_BUSY, 1
    .equ STATUS_2_QUAD_ENABLE, 2

    .equ VTOR, 0xE000ED08
    .equ VECTORS, 0x10000100

    .section .boot2, "ax"
    .type boot2, %function
    .global boot2
boot2:
    ldr r3, =SSI
    movs r0, #0
    str r0, [r3, #SSIENR] /* settings hold while it is disabled */
    movs r0, #CLOCK_DIVISOR
    str r0, [r3, #BAUDR]
    movs r2, #RX_SAMPLE_DLY_HIGH
    adds r2, r2, r3
    movs r0, #SAMPLE_DELAY
    str r0, [r2]
    ldr r0, =FRAMES_OF_8 | SEND_AND_RECEIVE
    str r0, [r3, #CTRLR0]
    movs r0, #1
    str r0, [r3, #SSIENR]

    /* The flash takes four lines only with its Quad Enable bit set, which is kept without power. */
    movs r0, #READ_STATUS_2
    bl read_status
    movs r1, #STATUS_2_QUAD_ENABLE
    tst r0, r1
    bne quad_enabled
    movs r0, #WRITE_ENABLE
    str r0, [r3, #DR0]
    bl wait_sent
    ldr r1, [r3, #DR0]
    movs r0, #WRITE_STATUS
    str r0, [r3, #DR0]
    movs r0, #0 /* status 1: no block protected */
    str r0, [r3, #DR0]
    movs r0, #STATUS_2_QUAD_ENABLE
    str r0, [r3, #DR0]
    bl wait_sent
    ldr r1, [r3, #DR0]
    ldr r1, [r3, #DR0]
    ldr r1, [r3, #DR0]
still_writing:
    movs r0, #READ_STATUS_1
    bl read_status
    movs r1, #STATUS_1_BUSY
    tst r0, r1
    bne still_writing
quad_enabled:

    /* One read with its command byte takes the flash into continuous reading. */
    movs r0, #0
    str r0, [r3, #SSIENR]
    ldr r0, =FOUR_LINES | FRAMES_OF_32 | READ_AFTER_COMMAND
    str r0, [r3, #CTRLR0]
    movs r0, #0 /* one frame */
    str r0, [r3, #CTRLR1]
    movs r2, #SPI_CTRLR0_HIGH
    adds r2, r2, r3
    ldr r0, =ADDRESS_AND_MODE_32_BITS | DUMMY_CLOCKS_4 | COMMAND_8_BITS | COMMAND_ON_ONE_LINE
    str r0, [r2]
    movs r0, #1
    str r0, [r3, #SSIENR]
    movs r0, #READ_QUAD
    str r0, [r3, #DR0]
    movs r0, #MODE_CONTINUOUS /* address 0 */
    str r0, [r3, #DR0]
    bl wait_sent

    /* From here on the SSI turns each load from 0x10000000 on into address, mode, dummy clocks and data. */
    movs r0, #0
    str r0, [r3, #SSIENR]
    ldr r0, =MODE_CONTINUOUS << 24 | ADDRESS_AND_MODE_32_BITS | DUMMY_CLOCKS_4 | COMMAND_NONE | ALL_ON_FOUR_LINES
    str r0, [r2]
    movs r0, #1
    str r0, [r3, #SSIENR]

    ldr r0, =VECTORS
    ldr r1, =VTOR
    str r0, [r1]
    ldm r0!, {r1, r2} /* stack, reset handler */
    msr msp, r1
    bx r2

/* r0: command; afterwards the status that it reads. Changes r1. */
read_status:
    mov r4, lr
    str r0, [r3, #DR0]
    str r0, [r3, #DR0] /* any byte: its reply is the status */
    bl wait_sent
    ldr r0, [r3, #DR0]
    ldr r0, [r3, #DR0]
    bx r4

/* Waits until all that was written has gone out. Changes r0 and r1. */
wait_sent:
    ldr r0, [r3, #SR]
    movs r1, #SR_TFE
    tst r0, r1
    beq wait_sent
    movs r1, #SR_BUSY
    tst r0, r1
    bne wait_sent
    bx lr

    .ltorg
    .size boot2, . - boot2
    .org 252
