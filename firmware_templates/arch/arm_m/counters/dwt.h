/* SPDX-License-Identifier: Apache-2.0 */
/* The cycle counter of the DWT unit (Armv7-M and Armv8-M Mainline): 32 bits of core clocks. */

#ifndef COUNTER_H
#define COUNTER_H

#include <stdint.h>

#define COUNTER_NAME "dwt"

#define DEMCR (*(volatile uint32_t *)0xE000EDFCu)
#define DEMCR_TRCENA 0x01000000u /* powers the DWT */
#define DWT_CTRL (*(volatile uint32_t *)0xE0001000u)
#define DWT_CTRL_CYCCNTENA 1u
#define DWT_CYCCNT (*(volatile uint32_t *)0xE0001004u)
#define DWT_LAR (*(volatile uint32_t *)0xE0001FB0u)
#define DWT_LAR_UNLOCK 0xC5ACCE55u /* Cortex-M7 locks the unit; others ignore the write */

/* The counter raises no interrupt: it wraps after 2^32 cycles, 20 s at 200 MHz. */
static inline void counter_wrapped(void) {}

static inline void counter_start(void) {
    DEMCR |= DEMCR_TRCENA;
    DWT_LAR = DWT_LAR_UNLOCK;
    DWT_CTRL |= DWT_CTRL_CYCCNTENA;
    DWT_CYCCNT = 0u;
}

static inline uint32_t counter_stop(void) { return DWT_CYCCNT; }

#endif
