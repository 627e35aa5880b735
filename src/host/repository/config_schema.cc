#include "host/repository/config_schema.h"

namespace quire {
namespace {

using enum ConfigType;
using enum ConfigCount;
using enum ConfigUse;

constexpr std::string_view kDataTypes[] = {
    "TYPE_INVALID", "TYPE_BOOL",  "TYPE_UINT8", "TYPE_UINT16", "TYPE_UINT32",
    "TYPE_UINT64",  "TYPE_INT8",  "TYPE_INT16", "TYPE_INT32",  "TYPE_INT64",
    "TYPE_FP16",    "TYPE_FP32",  "TYPE_FP64",  "TYPE_STRING", "TYPE_BF16"};
constexpr ConfigEnum kDataType = {"DataType", kDataTypes};
constexpr std::string_view kKinds[] = {"KIND_AUTO", "KIND_GPU", "KIND_CPU", "KIND_MODEL"};
constexpr ConfigEnum kKind = {"ModelInstanceGroup.Kind", kKinds};
constexpr std::string_view kFormats[] = {"FORMAT_NONE", "FORMAT_NHWC", "FORMAT_NCHW"};
constexpr ConfigEnum kFormat = {"ModelInput.Format", kFormats};
constexpr std::string_view kPriorities[] = {"PRIORITY_DEFAULT", "PRIORITY_MAX", "PRIORITY_MIN"};
constexpr ConfigEnum kPriority = {"ModelOptimizationPolicy.ModelPriority", kPriorities};
constexpr std::string_view kTimeoutActions[] = {"REJECT", "DELAY"};
constexpr ConfigEnum kTimeoutAction = {"ModelQueuePolicy.TimeoutAction", kTimeoutActions};

constexpr std::string_view kNoTensorRt = "it is of TensorRT models";
constexpr std::string_view kOneBatcher =
    "requests are batched token by token, each with its own length";
constexpr std::string_view kNoGpuGroups = "the models of this process run on its processors";
constexpr std::string_view kOwnMemory = "memory and graphs are arranged by the model's own backend";

// --- instance groups ---

constexpr ConfigField kInstanceGroupFields[] = {
    {"name", kText},
    {"kind", kEnum, kOne, kActs, {}, nullptr, &kKind},
    {"count", kInt32},
    {"rate_limiter", kMessage, kOne, kNeutral, "one instance takes what there is", nullptr},
    {"gpus", kInt32, kMany, kNeutral, kNoGpuGroups},
    {"secondary_devices", kMessage, kMany, kNeutral, kNoGpuGroups, nullptr},
    {"profile", kText, kMany, kNeutral, kNoTensorRt},
    {"passive", kBool, kOne, kNeutral, "there is no instance that nobody asks"},
    {"host_policy", kText, kOne, kTold, "threads are set with --threads"}};
constexpr ConfigMessage kInstanceGroup = {"ModelInstanceGroup", kInstanceGroupFields};

// --- tensors ---

constexpr ConfigField kReshapeFields[] = {{"shape", kInt64, kMany}};
constexpr ConfigMessage kReshape = {"ModelTensorReshape", kReshapeFields};
constexpr ConfigField kInputFields[] = {
    {"name", kText},
    {"data_type", kEnum, kOne, kActs, {}, nullptr, &kDataType},
    {"format", kEnum, kOne, kNeutral, "it is of images", nullptr, &kFormat},
    {"dims", kInt64, kMany},
    {"reshape", kMessage, kOne, kNeutral, "tensors come in the shape that clients send", &kReshape},
    {"is_shape_tensor", kBool, kOne, kNeutral, kNoTensorRt},
    {"allow_ragged_batch", kBool},  // every batch may be
    {"optional", kBool},
    {"is_non_linear_format_io", kBool, kOne, kNeutral, kNoTensorRt}};
constexpr ConfigMessage kInput = {"ModelInput", kInputFields};
constexpr ConfigField kOutputFields[] = {
    {"name", kText},
    {"data_type", kEnum, kOne, kActs, {}, nullptr, &kDataType},
    {"dims", kInt64, kMany},
    {"reshape", kMessage, kOne, kNeutral, "tensors go in the shape that the model makes",
     &kReshape},
    {"label_filename", kText},
    {"is_shape_tensor", kBool, kOne, kNeutral, kNoTensorRt},
    {"is_non_linear_format_io", kBool, kOne, kNeutral, kNoTensorRt}};
constexpr ConfigMessage kOutput = {"ModelOutput", kOutputFields};

// --- versions ---

constexpr ConfigField kLatestFields[] = {{"num_versions", kUint32}};
constexpr ConfigMessage kLatest = {"ModelVersionPolicy.Latest", kLatestFields};
constexpr ConfigMessage kAll = {"ModelVersionPolicy.All", {}};
constexpr ConfigField kSpecificFields[] = {{"versions", kInt64, kMany}};
constexpr ConfigMessage kSpecific = {"ModelVersionPolicy.Specific", kSpecificFields};
constexpr ConfigField kVersionPolicyFields[] = {
    {"latest", kMessage, kOne, kActs, {}, &kLatest, nullptr, "policy_choice"},
    {"all", kMessage, kOne, kActs, {}, &kAll, nullptr, "policy_choice"},
    {"specific", kMessage, kOne, kActs, {}, &kSpecific, nullptr, "policy_choice"}};
constexpr ConfigMessage kVersionPolicy = {"ModelVersionPolicy", kVersionPolicyFields};

// --- optimization: all of it is told ---

constexpr ConfigField kGraphFields[] = {{"level", kInt32}};
constexpr ConfigMessage kGraph = {"ModelOptimizationPolicy.Graph", kGraphFields};
constexpr ConfigField kShapeFields[] = {{"dim", kInt64, kMany}};
constexpr ConfigMessage kShape = {"ModelOptimizationPolicy.Cuda.GraphSpec.Shape", kShapeFields};
constexpr ConfigField kLowerBoundFields[] = {
    {"batch_size", kInt32},
    {"input", kMessage, kMap, kActs, {}, &kShape}};
constexpr ConfigMessage kLowerBound = {"ModelOptimizationPolicy.Cuda.GraphSpec.LowerBound",
                                       kLowerBoundFields};
constexpr ConfigField kGraphSpecFields[] = {
    {"batch_size", kInt32},
    {"input", kMessage, kMap, kActs, {}, &kShape},
    {"graph_lower_bound", kMessage, kOne, kActs, {}, &kLowerBound}};
constexpr ConfigMessage kGraphSpec = {"ModelOptimizationPolicy.Cuda.GraphSpec", kGraphSpecFields};
constexpr ConfigField kCudaFields[] = {
    {"graphs", kBool},
    {"busy_wait_events", kBool},
    {"graph_spec", kMessage, kMany, kActs, {}, &kGraphSpec},
    {"output_copy_stream", kBool}};
constexpr ConfigMessage kCuda = {"ModelOptimizationPolicy.Cuda", kCudaFields};
constexpr ConfigField kAcceleratorFields[] = {{"name", kText}, {"parameters", kText, kMap}};
constexpr ConfigMessage kAccelerator = {
    "ModelOptimizationPolicy.ExecutionAccelerators.Accelerator", kAcceleratorFields};
constexpr ConfigField kAcceleratorsFields[] = {
    {"gpu_execution_accelerator", kMessage, kMany, kActs, {}, &kAccelerator},
    {"cpu_execution_accelerator", kMessage, kMany, kActs, {}, &kAccelerator}};
constexpr ConfigMessage kAccelerators = {"ModelOptimizationPolicy.ExecutionAccelerators",
                                         kAcceleratorsFields};
constexpr ConfigField kPinnedFields[] = {{"enable", kBool}};
constexpr ConfigMessage kPinned = {"ModelOptimizationPolicy.PinnedMemoryBuffer", kPinnedFields};
constexpr ConfigField kOptimizationFields[] = {
    {"graph", kMessage, kOne, kTold, kOwnMemory, &kGraph},
    {"priority", kEnum, kOne, kTold, "models take turns step by step", nullptr, &kPriority},
    {"cuda", kMessage, kOne, kTold, kOwnMemory, &kCuda},
    {"execution_accelerators", kMessage, kOne, kTold, kOwnMemory, &kAccelerators},
    {"input_pinned_memory", kMessage, kOne, kTold, kOwnMemory, &kPinned},
    {"output_pinned_memory", kMessage, kOne, kTold, kOwnMemory, &kPinned},
    {"gather_kernel_buffer_threshold", kUint32, kOne, kTold, kOwnMemory},
    {"eager_batching", kBool, kOne, kTold, kOneBatcher}};
constexpr ConfigMessage kOptimization = {"ModelOptimizationPolicy", kOptimizationFields};

// --- batching ---

constexpr ConfigField kQueuePolicyFields[] = {
    {"timeout_action", kEnum, kOne, kActs, {}, nullptr, &kTimeoutAction},
    {"default_timeout_microseconds", kUint64},
    {"allow_timeout_override", kBool},
    {"max_queue_size", kUint32}};
constexpr ConfigMessage kQueuePolicy = {"ModelQueuePolicy", kQueuePolicyFields};
constexpr ConfigField kDynamicBatchingFields[] = {
    {"preferred_batch_size", kInt32, kMany},
    {"max_queue_delay_microseconds", kUint64},
    {"preserve_ordering", kBool, kOne, kTold, "every request has an answer of its own"},
    {"priority_levels", kUint64},
    {"default_priority_level", kUint64},
    {"default_queue_policy", kMessage, kOne, kActs, {}, &kQueuePolicy},
    {"priority_queue_policy", kMessage, kMapByNumber, kActs, {}, &kQueuePolicy}};
constexpr ConfigMessage kDynamicBatching = {"ModelDynamicBatching", kDynamicBatchingFields};

// --- warm-up ---

constexpr ConfigField kWarmupInputFields[] = {
    {"data_type", kEnum, kOne, kActs, {}, nullptr, &kDataType},
    {"dims", kInt64, kMany},
    {"zero_data", kBool, kOne, kActs, {}, nullptr, nullptr, "input_data_type"},
    {"random_data", kBool, kOne, kActs, {}, nullptr, nullptr, "input_data_type"},
    {"input_data_file", kText, kOne, kActs, {}, nullptr, nullptr, "input_data_type"}};
constexpr ConfigMessage kWarmupInput = {"ModelWarmup.Input", kWarmupInputFields};
constexpr ConfigField kWarmupFields[] = {
    {"name", kText},
    {"batch_size", kUint32},
    {"inputs", kMessage, kMap, kActs, {}, &kWarmupInput},
    {"count", kUint32}};
constexpr ConfigMessage kWarmup = {"ModelWarmup", kWarmupFields};

// --- ensembles ---

constexpr ConfigField kStepFields[] = {
    {"model_name", kText},
    {"model_version", kInt64},
    {"input_map", kText, kMap},
    {"output_map", kText, kMap},
    {"model_namespace", kText, kOne, kNeutral, "models have one name in all of the repository"}};
constexpr ConfigMessage kStep = {"ModelEnsembling.Step", kStepFields};
constexpr ConfigField kEnsembleFields[] = {
    {"step", kMessage, kMany, kActs, {}, &kStep},
    {"max_inflight_requests", kUint32}};
constexpr ConfigMessage kEnsemble = {"ModelEnsembling", kEnsembleFields};

// --- small ones ---

constexpr ConfigField kParameterFields[] = {{"string_value", kText}};
constexpr ConfigMessage kParameter = {"ModelParameter", kParameterFields};
constexpr ConfigField kTransactionFields[] = {{"decoupled", kBool}};
constexpr ConfigMessage kTransaction = {"ModelTransactionPolicy", kTransactionFields};
constexpr ConfigField kCacheFields[] = {{"enable", kBool}};
constexpr ConfigMessage kCache = {"ModelResponseCache", kCacheFields};
constexpr ConfigField kIdentifierFields[] = {{"family", kText}};
constexpr ConfigMessage kIdentifier = {"ModelMetrics.MetricControl.MetricIdentifier",
                                       kIdentifierFields};
constexpr ConfigField kHistogramFields[] = {{"buckets", kDouble, kMany}};
constexpr ConfigMessage kHistogram = {"ModelMetrics.MetricControl.HistogramOptions",
                                      kHistogramFields};
constexpr ConfigField kControlFields[] = {
    {"metric_identifier", kMessage, kOne, kActs, {}, &kIdentifier},
    {"histogram_options", kMessage, kOne, kActs, {}, &kHistogram}};
constexpr ConfigMessage kControl = {"ModelMetrics.MetricControl", kControlFields};
constexpr ConfigField kMetricsFields[] = {
    {"metric_control", kMessage, kMany, kTold, "the buckets of histograms are fixed", &kControl}};
constexpr ConfigMessage kMetrics = {"ModelMetrics", kMetricsFields};

constexpr ConfigField kModelConfigFields[] = {
    {"name", kText},
    {"platform", kText},
    {"backend", kText},
    {"runtime", kText, kOne, kNeutral, "no library is loaded for a model"},
    {"version_policy", kMessage, kOne, kActs, {}, &kVersionPolicy},
    {"max_batch_size", kInt32},
    {"input", kMessage, kMany, kActs, {}, &kInput},
    {"output", kMessage, kMany, kActs, {}, &kOutput},
    {"batch_input", kMessage, kMany, kNeutral, kOneBatcher, nullptr},
    {"batch_output", kMessage, kMany, kNeutral, kOneBatcher, nullptr},
    {"optimization", kMessage, kOne, kActs, {}, &kOptimization},
    {"dynamic_batching", kMessage, kOne, kActs, {}, &kDynamicBatching, nullptr,
     "scheduling_choice"},
    {"sequence_batching", kMessage, kOne, kNeutral,
     "a text is one request; what texts have in common is found in the prefix cache", nullptr,
     nullptr, "scheduling_choice"},
    {"ensemble_scheduling", kMessage, kOne, kActs, {}, &kEnsemble, nullptr, "scheduling_choice"},
    {"instance_group", kMessage, kMany, kActs, {}, &kInstanceGroup},
    {"default_model_filename", kText},
    {"cc_model_filenames", kText, kMap, kTold, "one file serves every processor"},
    {"metric_tags", kText, kMap, kTold, "metrics carry the model's name and version"},
    {"parameters", kMessage, kMap, kActs, {}, &kParameter},
    {"model_warmup", kMessage, kMany, kActs, {}, &kWarmup},
    {"model_operations", kMessage, kOne, kNeutral, "no library is loaded for a model", nullptr},
    {"model_transaction_policy", kMessage, kOne, kActs, {}, &kTransaction},
    {"model_repository_agents", kMessage, kOne, kNeutral, "no library is loaded for a model",
     nullptr},
    {"response_cache", kMessage, kOne, kActs, {}, &kCache},
    {"model_metrics", kMessage, kOne, kActs, {}, &kMetrics}};
constexpr ConfigMessage kModelConfig = {"ModelConfig", kModelConfigFields};

}  // namespace

const ConfigField* ConfigMessage::find(std::string_view field) const {
  for (const ConfigField& known : fields) {
    if (known.name == field) return &known;
  }
  return nullptr;
}

const ConfigMessage& model_config_message() { return kModelConfig; }

}  // namespace quire
