/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the test vectors through the model and reports. An application calls the model in its place:
 * the header of the model's name in model/ says how. */

#include "harness.h"

int main(void) { return harness_run(); }
