#ifndef OPTIMIZERS_GP_ACQUISITION_H
#define OPTIMIZERS_GP_ACQUISITION_H

/* How much an evaluation promises where the posterior has this mean and variance: larger is better. */
enum gp_acquisition {
    GP_LOG_EI,  /* logarithm of the expected improvement (Ament et al. 2023) */
    GP_UCB,     /* optimism: kappa standard deviations below the mean (Srinivas et al. 2010) */
    GP_THOMPSON /* one draw of the posterior: gp_optimum.c */
};

struct gp_promise {
    double score;
    double by_mean, by_variance; /* its derivatives */
};

/* `best`: what is to be improved upon, of LOG_EI; `kappa` of UCB. variance > 0. */
struct gp_promise gp_log_ei(double mean, double variance, double best);
struct gp_promise gp_ucb(double mean, double variance, double kappa);

#endif
