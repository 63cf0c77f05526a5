// Everything one instruction set compiles.
#include "vector.h"

#if HAS_AMX
#include "tiles.h"
#else
INLINE void releaseTiles(void) {}
#endif

#include "product.h"

#include "packing.h"

#include "code_product.h"

#include "code_packing.h"

#include "code_weights.h"

#include "elementwise.h"

#include "optimizer.h"

#include "routing.h"

#include "attention.h"

#include "latent.h"

#include "decode.h"

#include "stored.h"

#include "table.h"
