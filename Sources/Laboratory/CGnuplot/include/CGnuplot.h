#ifndef NOVALAB_CGNUPLOT_H
#define NOVALAB_CGNUPLOT_H

#include <stddef.h>

// Draws charts with gnuplot and gives the SVG text back.
//
// One call starts one gnuplot process for any number of charts. The commands and the columns are
// written with gnuplot-iostream into memory files, so neither side can block the other, nothing
// touches the disk and no signal is raised when gnuplot ends early. Equal input gives equal bytes
// for one version of gnuplot: start-up files are skipped, the locale is C, and the environment is
// reduced to PATH and LC_ALL. No C++ exception leaves these functions.

#ifdef __cplusplus
extern "C" {
#endif

enum {
    /// The most charts of one call.
    NOVALAB_PLOT_CHART_LIMIT = 512,
    /// The most bytes of one drawn chart: a larger one is refused, not cut.
    NOVALAB_PLOT_BYTE_LIMIT = 16777216,
};

typedef enum {
    NOVALAB_PLOT_DRAWN = 0,
    /// The program was not found: on Debian the package gnuplot-nox carries it.
    NOVALAB_PLOT_PROGRAM_MISSING = 1,
    /// The system refused memory, a descriptor or a process.
    NOVALAB_PLOT_SYSTEM_FAILED = 2,
    /// Gnuplot ended with an error; the message holds what it printed.
    NOVALAB_PLOT_SCRIPT_FAILED = 3,
    /// Gnuplot ran past the time limit and was ended.
    NOVALAB_PLOT_TIMED_OUT = 4,
    /// The arguments break a limit stated here.
    NOVALAB_PLOT_BAD_ARGUMENT = 5,
} novalab_plot_status;

/// Columns of equal length that the script reads as the data block `$name`. A value that is not a
/// number stands for a gap.
typedef struct {
    /// A letter, then letters and digits.
    const char *name;
    const double *const *columns;
    size_t column_count;
    size_t row_count;
} novalab_plot_data;

/// One chart: gnuplot commands that set the svg terminal and plot exactly once.
typedef struct {
    const char *script;
    const novalab_plot_data *data;
    size_t data_count;
} novalab_plot_chart;

typedef struct {
    /// One SVG document a chart, zero-terminated, in the order of the charts; NULL unless drawn.
    char **documents;
    size_t document_count;
    /// Why nothing was drawn; empty when all went well.
    char message[1024];
} novalab_plot_result;

/// Draws every chart or none.
///
/// `program` is looked up along PATH unless it holds a slash. `time_limit_milliseconds` bounds the
/// life of the process. The caller hands the result to `novalab_plot_release` in every case.
novalab_plot_status novalab_plot_render(
    const char *program,
    const novalab_plot_chart *charts,
    size_t chart_count,
    int time_limit_milliseconds,
    novalab_plot_result *result
);

/// Frees what a call of `novalab_plot_render` allocated; safe to repeat.
void novalab_plot_release(novalab_plot_result *result);

#ifdef __cplusplus
}
#endif

#endif
