#ifndef COMMANDS_NUMBERS_H
#define COMMANDS_NUMBERS_H

/* COMMAND_NUMBER_SET and COMMAND_VERSION_SET, ... from numbers.def, where the rules stand. */
enum command_number {
#define X(name, number, version) COMMAND_NUMBER_##name = (number),
#include "commands/numbers.def"
#undef X
};

enum command_version {
#define X(name, number, version) COMMAND_VERSION_##name = (version),
#include "commands/numbers.def"
#undef X
};

/* Two initialisers of a command_row. */
#define COMMAND_NUMBERED(name) .number = COMMAND_NUMBER_##name, .version = COMMAND_VERSION_##name

#endif
