// Every message of the C++ programs and library: one function a message. Codes are stable: MR1xx
// command line, MR2xx model file, MR3xx data and sample streams, MR4xx running and the API.
#ifndef MACE_BASE_DIAGNOSTICS_H_
#define MACE_BASE_DIAGNOSTICS_H_

#include <cstdint>
#include <string>

#include "mace/base/status.h"

namespace mace {
namespace diagnostics {

inline std::string Quoted(const std::string& name) { return "'" + name + "'"; }

// ---- MR1xx: command line --------------------------------------------------

inline Status UnknownFlag(const std::string& flag, const std::string& nearest) {
  return Status(
      StatusKind::kInvalidArgs, 101, "unknown flag " + Quoted(flag), "",
      nearest.empty() ? "see --help" : "did you mean " + Quoted(nearest) + "? see --help");
}
inline Status MissingFlag(const std::string& flag) {
  return Status(StatusKind::kInvalidArgs, 102, "flag --" + flag + " is required", "", "see --help");
}
inline Status BadFlagValue(const std::string& flag, const std::string& value,
                           const std::string& wanted) {
  return Status(StatusKind::kInvalidArgs, 103, "flag --" + flag + " cannot be " + Quoted(value), "",
                "give " + wanted);
}
inline Status UnexpectedArgument(const std::string& argument) {
  return Status(StatusKind::kInvalidArgs, 104, "unexpected argument " + Quoted(argument), "",
                "flags are written --name=value; see --help");
}
inline Status ConflictingFlags(const std::string& a, const std::string& b) {
  return Status(StatusKind::kInvalidArgs, 105,
                "flags --" + a + " and --" + b + " exclude each other",
                "they ask for different things", "give one of the two");
}

// ---- MR2xx: model file ----------------------------------------------------

inline Status MalformedModel(const std::string& what) {
  return Status(StatusKind::kInvalidArgs, 201, "the model file is damaged: " + what,
                "the bytes are not a MultiNetDef message", "convert the model again");
}
inline Status ForeignModel() {
  return Status(StatusKind::kUnsupported, 202, "the model file has no format_version",
                "it was written by MACE's own converter, whose layouts differ",
                "convert the model with this project");
}
inline Status NewerModel(uint32_t version, uint32_t known) {
  return Status(StatusKind::kUnsupported, 203,
                "the model file has format version " + std::to_string(version) +
                    ", this runtime reads up to " + std::to_string(known),
                "", "use the runtime of the release that wrote the model");
}
inline Status NetCount(size_t count) {
  return Status(
      StatusKind::kUnsupported, 204,
      "the model file has " + std::to_string(count) + " graphs; the runtime reads files with one",
      "a graph per device is for programs that are built with accelerators",
      "give the model as `mace convert` or `mace quantize` wrote it");
}
inline Status ObfuscatedNames() {
  return Status(StatusKind::kInvalidArgs, 223, "the names in the model are obfuscated",
                "statistics belong to tensors by their names",
                "give the model itself: the one that was written beside it, without .obfuscated or "
                ".deployed in its name");
}
inline Status NetOfAnotherDevice(int64_t runtime_type) {
  return Status(
      StatusKind::kUnsupported, 221,
      "the model file is for another device than the CPU (runtime type " +
          std::to_string(runtime_type) + ")",
      "", "use a program that is built with accelerators, or the model as it was before lowering");
}
inline Status BadShape(const std::string& tensor, const std::string& what) {
  return Status(StatusKind::kInvalidArgs, 205,
                "tensor " + Quoted(tensor) + " has a bad shape: " + what, "",
                "convert the model again");
}
inline Status BadElementType(const std::string& tensor, int64_t type) {
  return Status(StatusKind::kUnsupported, 206,
                "tensor " + Quoted(tensor) + " has element type " + std::to_string(type) +
                    "; the runtime has float32, int32, uint8 and int8",
                "the file is damaged, or was written by another program",
                "convert the model again");
}
inline Status DuplicateTensor(const std::string& tensor) {
  return Status(StatusKind::kInvalidArgs, 207, "tensor " + Quoted(tensor) + " is defined twice",
                "the file is damaged, or was written by another program",
                "convert the model again");
}
inline Status UndefinedTensor(const std::string& tensor, bool later) {
  return Status(
      StatusKind::kInvalidArgs, 208, "tensor " + Quoted(tensor) + " is used before it is computed",
      later ? "it is an output of a later node: the graph has a cycle or is not in execution order"
            : "no node, constant or graph input has this name",
      "convert the model again");
}
inline Status ConstantBounds(const std::string& tensor, const std::string& what) {
  return Status(StatusKind::kInvalidArgs, 209, "constant " + Quoted(tensor) + " " + what,
                "the model and data files do not belong together, or one is damaged",
                "give the .pb and .data files of one conversion");
}
inline Status DataDigest() {
  return Status(StatusKind::kInvalidArgs, 210,
                "the data file is not the one the model file was written with",
                "its SHA-256 differs", "give the .pb and .data files of one conversion");
}
inline Status UnknownOperator(const std::string& type) {
  return Status(StatusKind::kUnsupported, 211, "the runtime has no operator " + Quoted(type), "",
                "mace_run --list_kernels prints the operators of this build");
}
inline Status BadAttribute(const std::string& name, const std::string& what) {
  return Status(StatusKind::kInvalidArgs, 212, "attribute " + Quoted(name) + " " + what,
                "the file is damaged, or of another version", "convert the model again");
}
inline Status BadInputCount(size_t got, const std::string& wanted) {
  return Status(StatusKind::kInvalidArgs, 213,
                "the node has " + std::to_string(got) + " inputs, not " + wanted,
                "the file is damaged, or of another version", "convert the model again");
}
inline Status BadOutputCount(size_t got, const std::string& wanted) {
  return Status(StatusKind::kInvalidArgs, 214,
                "the node has " + std::to_string(got) + " outputs, not " + wanted,
                "the file is damaged, or of another version", "convert the model again");
}
inline Status BadOperandType(const std::string& tensor, const std::string& got,
                             const std::string& wanted) {
  return Status(StatusKind::kInvalidArgs, 215,
                "tensor " + Quoted(tensor) + " is " + got + ", not " + wanted,
                "the file is damaged, or of another version", "convert the model again");
}
inline Status BadOperandShape(const std::string& tensor, const std::string& got,
                              const std::string& wanted) {
  return Status(StatusKind::kInvalidArgs, 216,
                "tensor " + Quoted(tensor) + " has shape " + got + ", not " + wanted,
                "the file is damaged, or of another version", "convert the model again");
}
inline Status NotConstant(const std::string& tensor) {
  return Status(StatusKind::kUnsupported, 217, "tensor " + Quoted(tensor) + " must be a constant",
                "kernels prepare it before the first run", "convert the model again");
}
inline Status BadQuantization(const std::string& tensor, const std::string& what) {
  return Status(StatusKind::kInvalidArgs, 218, "tensor " + Quoted(tensor) + " " + what,
                "the file is damaged, or was written by another program",
                "quantize the model again");
}
inline Status NoKernel(const std::string& what) {
  return Status(StatusKind::kUnsupported, 219, "the runtime has no kernel for " + what,
                "this build has others; mace_run --list_kernels prints them",
                "keep the operator float (keep_float), and quantize the model again");
}
inline Status MissingPort(const std::string& what) {
  return Status(StatusKind::kInvalidArgs, 220, "the graph has no " + what,
                "the file is damaged, or was written by another program",
                "convert the model again");
}

inline Status BadPreprocess(const std::string& input, const std::string& what) {
  return Status(StatusKind::kInvalidArgs, 222,
                "how pixels become input " + Quoted(input) + " cannot be read: " + what,
                "the file is damaged, or was written by another program",
                "convert the model again with `preprocess` in its configuration");
}

// ---- MR3xx: files, data and sample streams --------------------------------

inline Status CannotOpen(const std::string& path, const std::string& why) {
  return Status(StatusKind::kInvalidArgs, 301, "cannot read " + Quoted(path) + ": " + why, "",
                "check the path, the permissions and that it is a regular file");
}
inline Status CannotWrite(const std::string& path, const std::string& why) {
  return Status(StatusKind::kRuntimeError, 302, "cannot write " + Quoted(path) + ": " + why, "",
                "check that the folder exists, is writable and has room");
}
inline Status InputSize(const std::string& tensor, uint64_t got, uint64_t wanted,
                        const std::string& shape) {
  return Status(StatusKind::kInvalidArgs, 303,
                "the data for input " + Quoted(tensor) + " has " + std::to_string(got) +
                    " bytes, not " + std::to_string(wanted),
                "the input has shape " + shape + " and elements of four bytes",
                "check the preprocessing and the shape in the configuration");
}
inline Status PixelCount(const std::string& tensor, uint64_t got, uint64_t wanted,
                         const std::string& shape) {
  return Status(StatusKind::kInvalidArgs, 313,
                "the pixels for input " + Quoted(tensor) + " are " + std::to_string(got) +
                    " bytes, not " + std::to_string(wanted),
                "the input has shape " + shape + ", a byte for each element",
                "resize the image to that shape; `image_to_tensor --type uint8` does");
}
inline Status NoPixels(const std::string& tensor, const std::string& shape) {
  return Status(StatusKind::kInvalidArgs, 314, "input " + Quoted(tensor) + " takes no pixels",
                "its shape is " + shape + ", not [1, height, width, 1 or 3] of float32",
                "give its values");
}
inline Status TruncatedStream(const std::string& where) {
  return Status(StatusKind::kInvalidArgs, 304, "the sample stream ends inside " + where,
                "the program that wrote it stopped early", "look for its error message");
}
inline Status BadStream(const std::string& what) {
  return Status(StatusKind::kInvalidArgs, 305, "the sample stream is malformed: " + what,
                "it is no sample stream, or its writer failed", "look for its error message");
}
inline Status StreamInputCount(const std::string& sample, uint64_t got, uint64_t wanted) {
  return Status(StatusKind::kInvalidArgs, 306,
                "sample " + Quoted(sample) + " has " + std::to_string(got) +
                    " tensors, the graph has " + std::to_string(wanted) + " inputs",
                "the samples were made for another model", "make them for this one");
}
inline Status EmptyStream() {
  return Status(StatusKind::kInvalidArgs, 307, "the sample stream has no samples", "",
                "give at least one sample");
}
inline Status QuantizedStatistics(const std::string& tensor, const std::string& type) {
  return Status(StatusKind::kInvalidArgs, 308,
                "statistics need a float model; tensor " + Quoted(tensor) + " is " + type, "",
                "give the model as it was before quantization");
}
inline Status DuplicateSample(const std::string& sample) {
  return Status(
      StatusKind::kInvalidArgs, 309, "the sample stream has two samples named " + Quoted(sample),
      "statistics name the samples of the extremes", "give every sample a name of its own");
}
inline Status UnknownInput(const std::string& name, const std::string& known) {
  return Status(StatusKind::kInvalidArgs, 310, "the graph has no input " + Quoted(name), "",
                "its inputs are " + known);
}
inline Status MissingInput(const std::string& name) {
  return Status(StatusKind::kInvalidArgs, 311, "no data for input " + Quoted(name), "",
                "give --input=" + name + "=FILE");
}
inline Status Interrupted(size_t samples, const std::string& output) {
  return Status(StatusKind::kRuntimeError, 312,
                "interrupted after " + std::to_string(samples) + " samples",
                samples > 0 ? "their statistics are in " + Quoted(output) : "nothing was written",
                "run the others and merge, as `mace stat --resume` does");
}

// ---- MR4xx: running and the API -------------------------------------------

inline Status OutOfMemory(const std::string& what, uint64_t bytes) {
  return Status(StatusKind::kOutOfResources, 401,
                "not enough memory for " + what + " (" + std::to_string(bytes) + " bytes)",
                "the system has no such memory left",
                "end other programs, or make the inputs smaller");
}
inline Status BadTier(const std::string& name, const std::string& why) {
  return Status(StatusKind::kInvalidArgs, 402,
                "MACE_CPU_TIER cannot be " + Quoted(name) + ": " + why,
                "it names the instruction set that kernels use",
                "unset it, or name one that this machine has");
}
inline Status BadArgument(const std::string& what) {
  return Status(StatusKind::kInvalidArgs, 403, what, "a caller of the library gave it",
                "mace/public/mace.h says what each function takes");
}
inline Status NotInThisBuild(const std::string& what) {
  return Status(StatusKind::kUnsupported, 404, what + " is not part of this build",
                "programs are built for the devices that they are to use",
                "build the program with it, or leave the runtime type unset");
}

// ---- MR5xx: accelerators --------------------------------------------------

inline Status NotALibrary(const std::string& path, const std::string& why) {
  return Status(StatusKind::kInvalidArgs, 501, Quoted(path) + " cannot be loaded: " + why,
                "the vendor's library is damaged, or one for another ABI",
                "take the library of this ABI from the vendor's SDK");
}
inline Status CannotLoadLibrary(const std::string& name, const std::string& why) {
  return Status(StatusKind::kRuntimeError, 502, "cannot load the library " + Quoted(name), why,
                "install the vendor's library, or name its file with --accelerator_library");
}
inline Status MissingSymbol(const std::string& library, const std::string& symbol) {
  return Status(StatusKind::kUnsupported, 503,
                "the library " + Quoted(library) + " has no function " + Quoted(symbol),
                "it is another library, or an older version of it",
                "take the library of the version that the documentation names");
}

inline Status OtherDevice(const std::string& devices) {
  return Status(StatusKind::kInvalidArgs, 505,
                "the model is for " + devices + ", not for the runtime type that was set",
                "where graphs run is decided when a model is built",
                "build the model for that device, or leave the runtime type unset");
}
inline Status NoLayers(const std::string& devices) {
  return Status(StatusKind::kUnsupported, 504,
                "layers cannot be written: the model runs on " + devices,
                "a device gives its outputs only",
                "dump the layers of the quantized model as it was before lowering");
}

// MR51x to MR53x: Hexagon.

inline Status HexagonNet(const std::string& what) {
  return Status(StatusKind::kInvalidArgs, 511, "the net for the Hexagon DSP is damaged: " + what,
                "", "lower the model again");
}
inline Status HexagonCall(const std::string& function, int result, const std::string& log) {
  return Status(
      StatusKind::kRuntimeError, 512, function + " failed with " + std::to_string(result),
      log.empty() ? "the library does not say more" : "the library says: " + log,
      "check that the DSP's part of the library (libhexagon_nn_skel.so) is installed and of the "
      "same version, and that this process may use the DSP");
}
inline Status HexagonMemory(const std::string& function, const std::string& log) {
  return Status(StatusKind::kOutOfResources, 513, "not enough memory for " + function, log,
                "use a smaller model or input, or let more of it run on the CPU");
}
inline Status HexagonOperator(const std::string& library, const std::string& type) {
  return Status(StatusKind::kUnsupported, 514,
                "the library " + Quoted(library) + " has no operator " + Quoted(type),
                "it is older than the model needs",
                "take a newer library, or let the CPU run such nodes (fallback cpu)");
}
inline Status HexagonVersion(const std::string& library, int version) {
  return Status(StatusKind::kUnsupported, 515,
                "the library " + Quoted(library) + " has version " + std::to_string(version >> 16) +
                    "." + std::to_string(version >> 8 & 255) + "." + std::to_string(version & 255) +
                    "; versions 2 are known",
                "", "take a library of version 2");
}
inline Status HexagonUnsignedPd(int result) {
  return Status(StatusKind::kRuntimeError, 516,
                "the DSP refuses an unsigned protection domain (" + std::to_string(result) + ")",
                "the SoC is older than SM8150, or the firmware forbids it",
                "leave --hexagon_unsigned_pd out and sign the DSP's library for the device");
}
inline Status HexagonPower(int corner, int latency_us) {
  return Status(StatusKind::kInvalidArgs, 517,
                "power corner " + std::to_string(corner) + " with a latency of " +
                    std::to_string(latency_us) + " microseconds",
                "", "give a corner from 0 to 6 and a latency of at least 0");
}
inline Status HexagonNoSkeleton(const std::string& function, const std::string& why) {
  return Status(StatusKind::kRuntimeError, 519,
                function + " failed: the DSP cannot load its part of the library", why,
                "push libhexagon_nn_skel.so of this SoC's DSP version to "
                "/system/vendor/lib/rfsa/adsp/, or to a folder that ADSP_LIBRARY_PATH names");
}
inline Status HexagonNotSigned(const std::string& function, const std::string& why) {
  return Status(StatusKind::kRuntimeError, 520,
                function + " failed: the DSP does not run code that is not signed for this device",
                why,
                "from SM8150 on, ask for an unsigned protection domain (SetHexagonToUnsignedPD or "
                "--hexagon_unsigned_pd); before it, sign the device with testsig, which takes one "
                "whose secure boot is off (adb shell getprop ro.boot.secureboot gives 0)");
}
inline Status HexagonOutput(const std::string& tensor, const std::string& shape) {
  return Status(StatusKind::kRuntimeError, 518,
                "the DSP gave the output " + Quoted(tensor) + " the shape " + shape,
                "the library's operators differ from those that the model was lowered for",
                "take the library of the version that the documentation names");
}

// MR54x to MR56x: MediaTek APU.

inline Status ApuNet(const std::string& what) {
  return Status(StatusKind::kInvalidArgs, 541, "the net for the MediaTek APU is damaged: " + what,
                "", "lower the model again");
}
// `meaning` is that of the result, empty where it has none; `resources` tells that there was too
// little of something.
inline Status ApuCall(const std::string& function, int result, const std::string& meaning,
                      bool resources) {
  return Status(resources ? StatusKind::kOutOfResources : StatusKind::kRuntimeError, 542,
                function + " failed with " + std::to_string(result),
                meaning.empty() ? "the library does not say more" : "the library says: " + meaning,
                "check that the library is the one of this device's system, and that this process "
                "may use the APU; or let the CPU run such nodes (fallback cpu)");
}
inline Status ApuMemory(const std::string& what) {
  return Status(StatusKind::kOutOfResources, 543, "not enough memory for buffers: " + what, "",
                "use a smaller model or input, or let more of it run on the CPU");
}
inline Status ApuOperator(const std::string& node, const std::string& type) {
  return Status(StatusKind::kUnsupported, 544,
                "this device's APU does not run the operator " + Quoted(node) + " (" + type + ")",
                "it is older than the model needs, or the operator is too large",
                "let the CPU run such nodes (fallback cpu)");
}
inline Status ApuHints(int boost, int preference) {
  return Status(
      StatusKind::kInvalidArgs, 545,
      "boost hint " + std::to_string(boost) + " with preference " + std::to_string(preference), "",
      "give a hint from 0 to 100 and a preference from 0 to 2");
}
inline Status ApuCachePolicy(int policy) {
  return Status(StatusKind::kInvalidArgs, 546,
                "cache policy " + std::to_string(policy) + " without its file, or an unknown one",
                "loading needs a file to read, storing one to write",
                "give a policy from 0 to 3 and the files that it uses");
}
inline Status ApuNoCache(const std::string& library) {
  return Status(StatusKind::kUnsupported, 547,
                "the library " + Quoted(library) + " cannot keep compiled networks",
                "it is older than its functions for that", "leave the cache policy at 0");
}
inline Status ApuCache(const std::string& path, const std::string& why) {
  return Status(StatusKind::kInvalidArgs, 548,
                "the compiled network " + Quoted(path) + " cannot be used", why,
                "store it again, or use the policy that compiles when loading fails");
}
// Versions of the APU in MACE's count.
inline Status ApuVersion(int64_t wanted, const std::string& library, int64_t newest) {
  return Status(StatusKind::kUnsupported, 549,
                "the net is for version " + std::to_string(wanted) +
                    " of the APU, and the library " + Quoted(library) + " is of version " +
                    std::to_string(newest),
                "older versions have fewer operators and another library",
                "lower the model with apu_version " + std::to_string(newest) +
                    ", or take the library of a newer system");
}
inline Status ApuFrontendCall(const std::string& function) {
  return Status(StatusKind::kRuntimeError, 550, function + " failed",
                "the library does not say why; the system's log may",
                "check that the library is the one of this device's SoC and that the model was "
                "lowered for its version of the APU; or let the CPU run such nodes (fallback cpu)");
}

}  // namespace diagnostics
}  // namespace mace

#endif  // MACE_BASE_DIAGNOSTICS_H_
