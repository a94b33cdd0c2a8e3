/* How fast a core runs dependent additions, which take a cycle each: in pieces of 20,000 over three seconds.
 *
 * Where threads of other machines share the core, it runs at its clock in some pieces and at half of it in
 * others. Prints two figures in GHz: that of the fastest hundredth, and the one that 70 % of the pieces reach.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { additions = 20000, limit = 1000000 };

static double pieces[limit];

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

static int ascending(const void *left, const void *right) {
    double difference = *(const double *)left - *(const double *)right;
    return (difference > 0) - (difference < 0);
}

int main(void) {
    double end = now() + 3;
    unsigned long sum = 0;
    int count = 0;
    while (count < limit) {
        double start = now();
        if (start >= end) break;
        for (int i = 0; i < additions; i++) __asm__ volatile("add $1, %0" : "+r"(sum));
        pieces[count++] = now() - start;
    }
    qsort(pieces, count, sizeof *pieces, ascending);
    printf("%.2f %.2f\n", additions / pieces[count / 100] / 1e9, additions / pieces[count * 7 / 10] / 1e9);
}
