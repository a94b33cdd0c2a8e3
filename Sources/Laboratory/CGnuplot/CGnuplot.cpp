#include "CGnuplot.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gnuplot-iostream.h>

namespace {

/// A failure on its way to the C boundary, where it becomes a status and a message.
struct Failure : std::runtime_error {
    novalab_plot_status status;

    Failure(novalab_plot_status status, const std::string &message)
        : std::runtime_error(message), status(status) {}
};

Failure systemFailure(const std::string &what, int number) {
    return Failure(NOVALAB_PLOT_SYSTEM_FAILED, what + ": " + std::strerror(number));
}

/// A file that lives in memory and is closed on exec unless it is handed over by name.
class MemoryFile {
public:
    MemoryFile() : descriptor(memfd_create("novalab-plot", MFD_CLOEXEC)) {
        if (descriptor < 0) throw systemFailure("memfd_create", errno);
    }

    MemoryFile(MemoryFile &&other) noexcept : descriptor(other.descriptor) {
        other.descriptor = -1;
    }

    MemoryFile(const MemoryFile &) = delete;
    MemoryFile &operator=(const MemoryFile &) = delete;

    ~MemoryFile() {
        if (descriptor >= 0) close(descriptor);
    }

    int number() const { return descriptor; }

    size_t size() const {
        struct stat status;
        if (fstat(descriptor, &status) != 0) throw systemFailure("fstat", errno);
        return static_cast<size_t>(status.st_size);
    }

    /// The first `limit` bytes.
    std::string text(size_t limit) const {
        std::string bytes(std::min(size(), limit), '\0');
        size_t filled = 0;
        while (filled < bytes.size()) {
            ssize_t count = pread(
                descriptor, &bytes[filled], bytes.size() - filled, static_cast<off_t>(filled));
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) throw systemFailure("pread", errno);
            if (count == 0) break;
            filled += static_cast<size_t>(count);
        }
        bytes.resize(filled);
        return bytes;
    }

private:
    int descriptor;
};

void checkName(const char *name) {
    bool sound = name != nullptr && std::isalpha(static_cast<unsigned char>(name[0])) != 0;
    for (const char *next = name; sound && *next != '\0'; next += 1) {
        sound = std::isalnum(static_cast<unsigned char>(*next)) != 0;
    }
    if (!sound) {
        throw Failure(NOVALAB_PLOT_BAD_ARGUMENT, "a data block needs a name of letters and digits");
    }
}

/// Sends one data block: gnuplot-iostream ends inline data with a line `e`, which the here-document
/// takes as its end mark.
void send(gnuplotio::Gnuplot &gnuplot, const novalab_plot_data &data) {
    checkName(data.name);
    if (data.column_count == 0 || data.row_count == 0) {
        throw Failure(
            NOVALAB_PLOT_BAD_ARGUMENT, std::string("the data block ") + data.name + " is empty");
    }
    std::vector<std::vector<double>> columns;
    columns.reserve(data.column_count);
    for (size_t index = 0; index < data.column_count; index += 1) {
        const double *first = data.columns[index];
        columns.emplace_back(first, first + data.row_count);
    }
    gnuplot << "$" << data.name << " << e\n";
    gnuplot.send1d_colmajor(columns);
}

/// Writes the whole session into `input`: every chart starts from defaults and prints to a memory
/// file of its own.
void writeSession(
    const MemoryFile &input,
    const std::vector<MemoryFile> &outputs,
    const novalab_plot_chart *charts
) {
    int copy = fcntl(input.number(), F_DUPFD_CLOEXEC, 0);
    if (copy < 0) throw systemFailure("fcntl", errno);
    FILE *handle = fdopen(copy, "w");
    if (handle == nullptr) {
        int number = errno;
        close(copy);
        throw systemFailure("fdopen", number);
    }
    // The session owns the handle from here on and closes it.
    gnuplotio::Gnuplot gnuplot(handle);
    for (size_t index = 0; index < outputs.size(); index += 1) {
        const novalab_plot_chart &chart = charts[index];
        if (chart.script == nullptr) {
            throw Failure(NOVALAB_PLOT_BAD_ARGUMENT, "a chart has no script");
        }
        gnuplot << "reset session\n";
        for (size_t block = 0; block < chart.data_count; block += 1) {
            send(gnuplot, chart.data[block]);
        }
        gnuplot << "set output '/proc/self/fd/" << outputs[index].number() << "'\n";
        gnuplot << chart.script << "\nset output\n";
    }
    gnuplot << "exit\n" << std::flush;
    if (!gnuplot.good()) {
        throw Failure(NOVALAB_PLOT_SYSTEM_FAILED, "the commands could not be written");
    }
}

/// The actions that give the child its streams and lets the outputs, and nothing else, pass exec.
class SpawnActions {
public:
    posix_spawn_file_actions_t actions;

    SpawnActions() { check(posix_spawn_file_actions_init(&actions)); }
    ~SpawnActions() { posix_spawn_file_actions_destroy(&actions); }
    SpawnActions(const SpawnActions &) = delete;
    SpawnActions &operator=(const SpawnActions &) = delete;

    void duplicate(int from, int to) {
        check(posix_spawn_file_actions_adddup2(&actions, from, to));
    }

    void open(int descriptor, const char *path, int flags) {
        check(posix_spawn_file_actions_addopen(&actions, descriptor, path, flags, 0));
    }

private:
    static void check(int number) {
        if (number != 0) throw systemFailure("posix_spawn_file_actions", number);
    }
};

pid_t start(
    const char *program,
    const MemoryFile &input,
    const MemoryFile &complaints,
    const std::vector<MemoryFile> &outputs
) {
    SpawnActions spawn;
    spawn.duplicate(input.number(), STDIN_FILENO);
    spawn.open(STDOUT_FILENO, "/dev/null", O_WRONLY);
    spawn.duplicate(complaints.number(), STDERR_FILENO);
    for (const MemoryFile &output : outputs) spawn.duplicate(output.number(), output.number());

    const char *path = std::getenv("PATH");
    std::string search = std::string("PATH=") + (path != nullptr ? path : "/usr/bin:/bin");
    std::string locale = "LC_ALL=C.UTF-8";
    char *environment[] = {search.data(), locale.data(), nullptr};
    std::string name = program;
    std::string plain = "-d";
    char *arguments[] = {name.data(), plain.data(), nullptr};

    pid_t child = 0;
    int number =
        posix_spawnp(&child, program, &spawn.actions, nullptr, arguments, environment);
    if (number == ENOENT || number == ENOTDIR || number == EACCES) {
        throw Failure(
            NOVALAB_PLOT_PROGRAM_MISSING,
            std::string("cannot start ") + program + ": " + std::strerror(number));
    }
    if (number != 0) throw systemFailure(std::string("cannot start ") + program, number);
    return child;
}

/// Waits for the child; ends it when the time is up. Returns the status of waitpid.
int await(pid_t child, int limitMilliseconds) {
    using clock = std::chrono::steady_clock;
    auto deadline = clock::now() + std::chrono::milliseconds(limitMilliseconds);
    bool ended = false;
    for (;;) {
        int status = 0;
        pid_t found = waitpid(child, &status, ended ? 0 : WNOHANG);
        if (found == child) {
            if (!ended) return status;
            throw Failure(NOVALAB_PLOT_TIMED_OUT, "gnuplot ran past its time limit");
        }
        if (found < 0 && errno != EINTR) throw systemFailure("waitpid", errno);
        if (!ended && clock::now() >= deadline) {
            kill(child, SIGKILL);
            ended = true;
        } else if (!ended) {
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
    }
}

char *copied(const std::string &text) {
    char *bytes = static_cast<char *>(std::malloc(text.size() + 1));
    if (bytes == nullptr) throw std::bad_alloc();
    std::memcpy(bytes, text.c_str(), text.size() + 1);
    return bytes;
}

void collect(const std::vector<MemoryFile> &outputs, novalab_plot_result *result) {
    result->documents = static_cast<char **>(std::calloc(outputs.size(), sizeof(char *)));
    if (result->documents == nullptr) throw std::bad_alloc();
    result->document_count = outputs.size();
    for (size_t index = 0; index < outputs.size(); index += 1) {
        size_t size = outputs[index].size();
        if (size > NOVALAB_PLOT_BYTE_LIMIT) {
            throw Failure(NOVALAB_PLOT_SCRIPT_FAILED, "a chart is larger than its limit");
        }
        std::string document = outputs[index].text(size);
        if (document.find("</svg>") == std::string::npos) {
            throw Failure(
                NOVALAB_PLOT_SCRIPT_FAILED,
                "chart " + std::to_string(index) + " drew no SVG document");
        }
        result->documents[index] = copied(document);
    }
}

void render(
    const char *program,
    const novalab_plot_chart *charts,
    size_t count,
    int limitMilliseconds,
    novalab_plot_result *result
) {
    if (program == nullptr || (charts == nullptr && count > 0)) {
        throw Failure(NOVALAB_PLOT_BAD_ARGUMENT, "program or charts missing");
    }
    if (count > NOVALAB_PLOT_CHART_LIMIT || limitMilliseconds <= 0) {
        throw Failure(NOVALAB_PLOT_BAD_ARGUMENT, "too many charts, or no time to draw them");
    }
    MemoryFile input;
    MemoryFile complaints;
    std::vector<MemoryFile> outputs(count);
    writeSession(input, outputs, charts);
    if (lseek(input.number(), 0, SEEK_SET) != 0) throw systemFailure("lseek", errno);
    pid_t child = start(program, input, complaints, outputs);
    int status = await(child, limitMilliseconds);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        throw Failure(
            NOVALAB_PLOT_SCRIPT_FAILED, "gnuplot failed: " + complaints.text(900));
    }
    collect(outputs, result);
}

novalab_plot_status report(
    novalab_plot_status status, const char *message, novalab_plot_result *result
) {
    novalab_plot_release(result);
    std::snprintf(result->message, sizeof result->message, "%s", message);
    return status;
}

}  // namespace

extern "C" novalab_plot_status novalab_plot_render(
    const char *program,
    const novalab_plot_chart *charts,
    size_t chart_count,
    int time_limit_milliseconds,
    novalab_plot_result *result
) {
    if (result == nullptr) return NOVALAB_PLOT_BAD_ARGUMENT;
    *result = novalab_plot_result{};
    try {
        render(program, charts, chart_count, time_limit_milliseconds, result);
        return NOVALAB_PLOT_DRAWN;
    } catch (const Failure &failure) {
        return report(failure.status, failure.what(), result);
    } catch (const std::exception &failure) {
        return report(NOVALAB_PLOT_SYSTEM_FAILED, failure.what(), result);
    } catch (...) {
        return report(NOVALAB_PLOT_SYSTEM_FAILED, "an unknown exception", result);
    }
}

extern "C" void novalab_plot_release(novalab_plot_result *result) {
    if (result == nullptr) return;
    for (size_t index = 0; index < result->document_count; index += 1) {
        std::free(result->documents[index]);
    }
    std::free(result->documents);
    result->documents = nullptr;
    result->document_count = 0;
}
