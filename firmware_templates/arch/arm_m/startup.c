/* SPDX-License-Identifier: Apache-2.0 */
/* Vector table, reset and fault handlers of every Cortex-M. */

#include "harness.h"
#include "semihosting.h"

#include <stdint.h>

#define CPACR (*(volatile uint32_t *)0xE000ED88u)
#define MPU_TYPE (*(volatile uint32_t *)0xE000ED90u)
#define MPU_CTRL (*(volatile uint32_t *)0xE000ED94u)
#define MPU_RBAR (*(volatile uint32_t *)0xE000ED9Cu)
#define MPU_RASR (*(volatile uint32_t *)0xE000EDA0u)

#define MPU_CTRL_DEFAULT_MAP 5u /* enable; privileged code sees the default map elsewhere */
#define MPU_RBAR_REGION_0 0x10u
#define MPU_RASR_CLOSED_64K 0x1000001Fu /* no access, no execution, 2^16 bytes, enable */
#define CLOSED_BYTES 0x10000u

extern uint32_t __stack_bottom[], __stack_top[];
extern uint32_t __data_start[], __data_end[], __bss_start[], __bss_end[];
extern const uint32_t __data_load[];

int main(void);
void reset_handler(void);
#ifdef BOARD_START
void board_start(void); /* board/start.c; runs before memory is initialised */
#endif
void fault_handler(void);

/* Volatile, so that the loops do not become calls of memcpy and memset. */
static void initialise_memory(void) {
    const uint32_t *from = __data_load;
    for (volatile uint32_t *to = __data_start; to < __data_end; ++to) {
        *to = *from++;
    }
    for (volatile uint32_t *to = __bss_start; to < __bss_end; ++to) {
        *to = 0u;
    }
}

/* Some memory systems ignore writes below RAM; close what the stack would overflow into. Armv8-M
 * checks the stack pointer itself; Armv6-M may lack the MPU. */
static void close_below_stack(void) {
#if __ARM_ARCH >= 8
    __asm__ volatile("msr msplim, %0" ::"r"(__stack_bottom));
#else
    if (MPU_TYPE != 0u) {
        MPU_RBAR = ((uint32_t)__stack_bottom - CLOSED_BYTES) | MPU_RBAR_REGION_0;
        MPU_RASR = MPU_RASR_CLOSED_64K;
        MPU_CTRL = MPU_CTRL_DEFAULT_MAP;
        __asm__ volatile("dsb\n isb" ::: "memory");
    }
#endif
}

__attribute__((noreturn)) void reset_handler(void) {
#if defined(__ARM_FP) && __ARM_FP
    CPACR |= 0xFu << 20; /* full access to the FPU */
    __asm__ volatile("dsb\n isb" ::: "memory");
#endif
#ifdef BOARD_START
    board_start();
#endif
    close_below_stack();
    initialise_memory();
    semihosting_exit((uint32_t)main());
    __builtin_unreachable();
}

/* The faulting code may have run out of stack: take a fresh one before any C. */
__attribute__((naked)) void fault_handler(void) {
    __asm__ volatile("mrs r0, msp\n"
                     "ldr r1, 1f\n"
                     "msr msp, r1\n"
                     "ldr r1, 2f\n"
                     "bx r1\n"
                     ".balign 4\n"
                     "1: .word __stack_top\n"
                     "2: .word harness_fault\n");
}

/* Only HardFault, to which the others escalate, and SysTick can happen: no interrupt is enabled. */
__attribute__((section(".isr_vector"), used)) static void (*const vectors[16])(void) = {
    (void (*)(void))__stack_top,
    reset_handler,
    fault_handler, /* NMI */
    fault_handler, /* HardFault */
    fault_handler, /* MemManage */
    fault_handler, /* BusFault */
    fault_handler, /* UsageFault */
    fault_handler,
    fault_handler,
    fault_handler,
    fault_handler,
    fault_handler, /* SVCall */
    fault_handler,
    fault_handler,
    fault_handler, /* PendSV */
    harness_counter_wrapped,
};
