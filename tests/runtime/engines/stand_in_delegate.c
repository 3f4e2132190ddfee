/* An external LiteRT delegate that needs no accelerator: it takes some operators and copies, times a gain, their
 * input to their output. Options: claim = "reshape" (builtin operator 22), "edgetpu" (the custom operator of
 * compiled models) or "nothing"; gain, a number; fail = "create" or "prepare".
 *
 * No package of LiteRT ships its headers: what is declared here is the part of its C interface that is used
 * (tensorflow/lite/core/c/common.h, TensorFlow 2.14 to 2.21), in its order. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <stdbool.h>

enum { kOk = 0, kError = 1, kReadOnly = 1, kAllowDynamicTensors = 1, kReshape = 22 };

typedef struct { int size; int data[]; } IntArray;
typedef struct Context Context;
typedef struct Delegate Delegate;

typedef struct {
  int type;
  union { float *f; void *raw; } data;
  IntArray *dims;
  struct { float scale; int32_t zero_point; } params;
  int allocation_type;
  size_t bytes;
  const void *allocation;
  const char *name;
  Delegate *delegate;
  int buffer_handle;
  bool data_is_stale, is_variable;
  struct { int type; void *params; } quantization;
  void *sparsity;
  const IntArray *dims_signature;
} Tensor;

typedef struct {
  IntArray *inputs, *outputs, *intermediates, *temporaries;
  void *user_data, *builtin_data;
  const void *custom_initial_data;
  int custom_initial_data_size;
  Delegate *delegate;
} Node;

typedef struct {
  void *(*init)(Context *, const char *, size_t);
  void (*free)(Context *, void *);
  int (*prepare)(Context *, Node *);
  int (*invoke)(Context *, Node *);
  const char *(*profiling_string)(const Context *, const Node *);
  int32_t builtin_code;
  const char *custom_name;
  int version;
  void *registration_external, *async_kernel;
  uint64_t inplace_operator;
} Registration;

struct Context {
  size_t tensors_size;
  int (*GetExecutionPlan)(Context *, IntArray **);
  Tensor *tensors;
  void *impl;
  int (*ResizeTensor)(Context *, Tensor *, IntArray *);
  void (*ReportError)(Context *, const char *, ...);
  int (*AddTensors)(Context *, int, int *);
  int (*GetNodeAndRegistration)(Context *, int, Node **, Registration **);
  int (*ReplaceNodeSubsetsWithDelegateKernels)(Context *, Registration, const IntArray *, Delegate *);
};

struct Delegate {
  void *data;
  int (*Prepare)(Context *, Delegate *);
  void *copy_from, *copy_to, *free_handle;
  int64_t flags;
  void *opaque_delegate_builder;
};

typedef struct { char claim[16]; float gain; bool fail; } Settings;
typedef struct { Delegate *delegate; IntArray *nodes, *inputs, *outputs; } Params;

static void *init(Context *context, const char *buffer, size_t length) {
  return ((const Params *)buffer)->delegate->data;
}

static int prepare(Context *context, Node *node) { return kOk; }

static int invoke(Context *context, Node *node) {
  const Settings *settings = node->user_data;
  Tensor *to = &context->tensors[node->outputs->data[0]];
  const Tensor *from = NULL;
  for (int i = 0; i < node->inputs->size; i++) { /* the shape to reshape to is an input too */
    const Tensor *input = &context->tensors[node->inputs->data[i]];
    if (input->allocation_type != kReadOnly && input->bytes == to->bytes) from = input;
  }
  if (!from) return kError;
  for (size_t i = 0; i < to->bytes / sizeof(float); i++) to->data.f[i] = settings->gain * from->data.f[i];
  return kOk;
}

static bool wanted(const Settings *settings, const Registration *registration) {
  if (!strcmp(settings->claim, "reshape")) return registration->builtin_code == kReshape;
  return !strcmp(settings->claim, "edgetpu") && registration->custom_name &&
         !strcmp(registration->custom_name, "edgetpu-custom-op");
}

static int prepare_delegate(Context *context, Delegate *delegate) {
  const Settings *settings = delegate->data;
  if (settings->fail) {
    context->ReportError(context, "the stand-in is told not to take it");
    return kError;
  }
  IntArray *plan;
  if (context->GetExecutionPlan(context, &plan) != kOk) return kError;
  IntArray *taken = calloc(1, sizeof(int) * (1 + plan->size));
  for (int i = 0; i < plan->size; i++) {
    Node *node;
    Registration *registration;
    if (context->GetNodeAndRegistration(context, plan->data[i], &node, &registration) != kOk) return kError;
    if (wanted(settings, registration)) taken->data[taken->size++] = plan->data[i];
  }
  Registration kernel = {.init = init, .prepare = prepare, .invoke = invoke, .custom_name = "StandIn", .version = 1};
  int status = context->ReplaceNodeSubsetsWithDelegateKernels(context, kernel, taken, delegate);
  free(taken);
  return status;
}

Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *)) {
  Settings *settings = calloc(1, sizeof(Settings));
  settings->gain = 1;
  for (size_t i = 0; i < count; i++) {
    if (!strcmp(keys[i], "claim")) strncpy(settings->claim, values[i], sizeof(settings->claim) - 1);
    if (!strcmp(keys[i], "gain")) settings->gain = strtof(values[i], NULL);
    if (!strcmp(keys[i], "fail") && !strcmp(values[i], "prepare")) settings->fail = true;
    if (!strcmp(keys[i], "fail") && !strcmp(values[i], "create")) {
      report("no device found");
      free(settings);
      return NULL;
    }
  }
  Delegate *delegate = calloc(1, sizeof(Delegate));
  delegate->data = settings;
  delegate->Prepare = prepare_delegate;
  /* Else LiteRT prepares the graph first, which no custom operator without a kernel lives through. */
  if (!strcmp(settings->claim, "edgetpu")) delegate->flags = kAllowDynamicTensors;
  return delegate;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) {
  if (delegate) free(delegate->data);
  free(delegate);
}
