// prova.h in C++: a training function may be any function of the right type.
#include "prova.h"

static int train(prova_trial *trial, void *)
{
    return prova_finish(trial, prova_double(trial, "lr"));
}

int main()
{
    prova_config *config = prova_config_new("cplusplus");
    prova_config_double(config, "lr", 1e-4, 1.0, PROVA_LOG);
    prova_result *result = prova_lagom(train, nullptr, config);
    prova_result_free(result);
    prova_config_free(config);
    return 0;
}
