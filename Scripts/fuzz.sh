#!/usr/bin/env bash
# Feeds changed files to everything that reads files of others, under the address sanitizer.
#
#   Scripts/fuzz.sh SECONDS [TARGET…]    each target for so long: safetensors gguf tokenizer config template messages
#
# Builds into .build-fuzz, where the corpora stay from run to run and what broke is kept under findings/. Ends with code 2
# where this compiler comes without libFuzzer. MINKE_FIXTURES adds the shared collection of broken files.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=${1:?how many seconds for each target}
shift
[ $# -gt 0 ] || set -- safetensors gguf tokenizer config template messages
folder=.build-fuzz
fixtures="${MINKE_FIXTURES:-../shared/fixtures}/malformed"
mkdir -p "$folder/modules"
export SWIFT_BACKTRACE=enable=no

flags=(-O -wmo -swift-version 6 -parse-as-library -sanitize=fuzzer,address -package-name minke -I "$folder/modules")

echo '@_cdecl("LLVMFuzzerTestOneInput") public func one(_: UnsafeRawPointer?, _: Int) -> CInt { 0 }' >"$folder/probe.swift"
if ! swiftc -parse-as-library -sanitize=fuzzer,address "$folder/probe.swift" -o "$folder/probe" 2>"$folder/probe.log"; then
    echo "no libFuzzer with this compiler: $(tail -n 1 "$folder/probe.log")" >&2
    exit 2
fi

# Everything whose sources are not newer than what was built stays as it is.
fuzzer="$folder/fuzzer"
if [ ! -x "$fuzzer" ] || [ -n "$(find Sources Tests/MinkeGenerationTests/Fuzzing Scripts/fuzz -newer "$fuzzer" -type f -print -quit)" ]
then
    start=$SECONDS
    objects=()
    cat >"$folder/modules/module.modulemap" <<MAP
module CMinkeKernels { umbrella "$PWD/Sources/CMinkeKernels/include" export * }
module CMinkeHash { umbrella "$PWD/Sources/CMinkeHash/include" export * }
MAP
    for file in Sources/CMinkeKernels/*.c Sources/CMinkeHash/*.c; do objects+=("$folder/$(basename "$file").o"); done
    # The kernels take as long as everything else: they are compiled beside it. Whether a loop is unrolled is nothing here.
    find Sources/CMinkeKernels Sources/CMinkeHash -name '*.c' -print0 | xargs -0 -P "$(nproc)" -I{} sh -c \
        'exec clang -std=gnu17 -O1 -g -fsanitize=address -Wno-pass-failed -ISources/CMinkeKernels/include -ISources/CMinkeHash/include -c "$1" \
            -o "$2/$(basename "$1").o"' sh {} "$folder" &
    kernels=$!
    for module in MinkeFiles MinkeTensors MinkeTokenization MinkeCheckpoints MinkeModel MinkeGeneration; do
        objects+=("$folder/$module.o")
        mapfile -t sources < <(find "Sources/$module" -name '*.swift')
        swiftc "${flags[@]}" -module-name "$module" -emit-module -emit-module-path "$folder/modules/$module.swiftmodule" \
            -c "${sources[@]}" -o "$folder/$module.o"
    done
    wait "$kernels"
    # The linker has much to say about the sanitizer's symbols.
    swiftc "${flags[@]}" -module-name Fuzzer Scripts/fuzz/LibFuzzer.swift \
        Tests/MinkeGenerationTests/Fuzzing/Fuzz*.swift "${objects[@]}" -lm -o "$fuzzer" >"$folder/link.log" 2>&1 || {
        grep -v 'warning: Cannot export local symbol' "$folder/link.log" >&2
        exit 1
    }
    echo "built in $((SECONDS - start)) s"
fi

scratch=$(mktemp -d "${TMPDIR:-/tmp}/minke-fuzz.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
status=0
for target in "$@"; do
    corpus="$folder/corpus/$target" findings="$folder/findings/$target-"
    mkdir -p "$corpus" "$folder/findings"
    case $target in
        safetensors) seeds=weights ;;
        *) seeds=$target ;;
    esac
    if [ -d "$fixtures/$seeds" ]; then find "$fixtures/$seeds" -type f -size -64k -exec cp -n {} "$corpus" \;; fi
    chmod -R u+w "$corpus"
    largest=65536
    [ "$target" != template ] || largest=4096
    # What stays after freeing is the run time's; models come and go, so leaks would show in the memory limit.
    if MINKE_FUZZ_TARGET=$target MINKE_FUZZ_SCRATCH="$scratch/$target" MINKE_FUZZ_SEEDS="$corpus" \
        ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=0:max_allocation_size_mb=512 \
        "$fuzzer" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -malloc_limit_mb=512 -max_len=$largest \
        -dict=Scripts/fuzz/words.dict -print_final_stats=1 -artifact_prefix="$findings" "$corpus" >"$folder/$target.log" 2>&1
    then
        echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/$target.log") inputs, nothing found"
    else
        echo "$target: FOUND" >&2
        # The lines that say why, if there are any; that the target failed is reported in any case.
        grep -E '^(SUMMARY|Fatal|.*Fatal error|.*: error|.*libFuzzer: |.*Test unit written)' "$folder/$target.log" | head -n 5 >&2 || true
        status=1
    fi
done
exit $status
