/* SPDX-License-Identifier: Apache-2.0 */
/* main.c -- hands the command line to the command it names. */
#include "cli/cli.h"
#include "env/env.h"

int main(int argc, char **argv) {
    if (env_open_standard_files() < 0) return CLI_FAILED; /* there may be nowhere to say so */
    return cli_main(argc, argv);
}
