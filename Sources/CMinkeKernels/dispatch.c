#include "minke_kernels.h"
