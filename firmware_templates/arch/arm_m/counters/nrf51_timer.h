/* SPDX-License-Identifier: Apache-2.0 */
/* TIMER0 of an nRF51, which has no SysTick: 32 bits at 16 MHz, the core's clock. nRF51 Series
 * Reference Manual, chapter 17. */

#ifndef COUNTER_H
#define COUNTER_H

#include <stdint.h>

#define COUNTER_NAME "nrf51_timer"

#define TIMER0 0x40008000u
#define TIMER0_START (*(volatile uint32_t *)(TIMER0 + 0x000u))
#define TIMER0_STOP (*(volatile uint32_t *)(TIMER0 + 0x004u))
#define TIMER0_CLEAR (*(volatile uint32_t *)(TIMER0 + 0x00Cu))
#define TIMER0_CAPTURE_0 (*(volatile uint32_t *)(TIMER0 + 0x040u))
#define TIMER0_MODE (*(volatile uint32_t *)(TIMER0 + 0x504u))
#define TIMER0_BITMODE (*(volatile uint32_t *)(TIMER0 + 0x508u))
#define TIMER0_PRESCALER (*(volatile uint32_t *)(TIMER0 + 0x510u))
#define TIMER0_CC_0 (*(volatile uint32_t *)(TIMER0 + 0x540u))
#define TIMER0_MODE_TIMER 0u
#define TIMER0_BITMODE_32 3u

/* The counter raises no interrupt: it wraps after 2^32 ticks, 268 s. */
static inline void counter_wrapped(void) {}

static inline void counter_start(void) {
    TIMER0_STOP = 1u;
    TIMER0_MODE = TIMER0_MODE_TIMER;
    TIMER0_BITMODE = TIMER0_BITMODE_32;
    TIMER0_PRESCALER = 0u;
    TIMER0_CLEAR = 1u;
    TIMER0_START = 1u;
}

static inline uint32_t counter_stop(void) {
    TIMER0_CAPTURE_0 = 1u;
    TIMER0_STOP = 1u;
    return TIMER0_CC_0;
}

#endif
