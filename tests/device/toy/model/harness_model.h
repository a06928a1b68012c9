#ifndef HARNESS_MODEL_H
#define HARNESS_MODEL_H

#include "model.h"

#endif
