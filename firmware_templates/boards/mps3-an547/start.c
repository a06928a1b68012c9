/* SPDX-License-Identifier: Apache-2.0 */
/* The core starts with its vector table at address 0, which is not secure: later exceptions would
 * not be taken from there. The same memory is secure 0x10000000 bytes higher. */

#include <stdint.h>

#define VTOR (*(volatile uint32_t *)0xE000ED08u)

extern uint32_t __vectors[];

void board_start(void);

void board_start(void) { VTOR = (uint32_t)__vectors; }
