/* Runs the test vectors through the model and reports. An application calls model_prepare(),
 * model_input(), model_invoke() and model_output() in its place; see model/model.h. */

#include "harness.h"

int main(void) { return harness_run(); }
