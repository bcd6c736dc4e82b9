// Small things: how a failure is told, and chance.
#pragma once

#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

namespace {

struct Error {
    std::string text;
};

[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));
void fail(const char* format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    throw Error{text};
}

// xorshift64*: small, fast, and the same on every machine.
struct Random {
    uint64_t state;
    explicit Random(uint64_t seed) : state(seed * 0x9E3779B97F4A7C15u + 0xD1B54A32D192ED03u) { state |= 1; }
    uint64_t number() {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        return state * 0x2545F4914F6CDD1Du;
    }
    bool chance(uint32_t of_65536) { return of_65536 && number() >> 48 < of_65536; }
    void fill(void* to, size_t size) {
        auto* at = static_cast<uint8_t*>(to);
        while (size) {
            const uint64_t eight = number();
            const size_t part = size < sizeof eight ? size : sizeof eight;
            std::memcpy(at, &eight, part);
            at += part;
            size -= part;
        }
    }
};

}  // namespace
