/* SPDX-License-Identifier: Apache-2.0 */
/* What the harness needs of a Cortex-M: its stack pointer, and what its fault registers say. */

#ifndef ARCH_H
#define ARCH_H

#include <stdint.h>

#define FAULT_CFSR (*(volatile uint32_t *)0xE000ED28u)
#define FAULT_CFSR_MMARVALID 0x80u
#define FAULT_MMFAR (*(volatile uint32_t *)0xE000ED34u)
#define FAULT_BFAR (*(volatile uint32_t *)0xE000ED38u)
#define FRAME_PC 6u /* r0 to r3, r12, lr before it */

static inline uint8_t *arch_stack_pointer(void) {
    uint8_t *sp;
    __asm__ volatile("mov %0, sp" : "=r"(sp));
    return sp;
}

/* What went wrong, in bits; 0 on Armv6-M, which does not say. */
static inline uint32_t arch_fault_status(void) { return FAULT_CFSR; }

/* The address that was accessed, where the status says that there is one. */
static inline uint32_t arch_fault_address(uint32_t status) {
    return (status & FAULT_CFSR_MMARVALID) != 0u ? FAULT_MMFAR : FAULT_BFAR;
}

/* The program counter in the frame that the core pushed. */
static inline uint32_t arch_fault_pc(const uint32_t *frame) { return frame[FRAME_PC]; }

#endif
