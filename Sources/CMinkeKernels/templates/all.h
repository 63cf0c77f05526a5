// Everything one instruction set compiles.
#include "vector.h"

#include "product.h"

#include "packing.h"

#include "byte_product.h"

#include "byte_packing.h"

#include "elementwise.h"

#include "optimizer.h"

#include "routing.h"

#include "attention.h"

#include "latent.h"

#include "decode.h"

#include "stored.h"

#include "table.h"
