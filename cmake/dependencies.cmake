# Every library that prova uses, as imported targets. Debian 12's packages are enough (see the list in ./run).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# All that is missing is said at once, by the names of Debian's packages.
set(PROVA_MISSING "")
foreach(pair libzmq:libzmq3-dev libczmq:libczmq-dev sqlite3:libsqlite3-dev gsl:libgsl-dev uuid:uuid-dev libfyaml:libfyaml-dev
        jansson:libjansson-dev msgpack:libmsgpack-dev openblas:libopenblas-dev)
    string(REGEX REPLACE ":.*" "" module ${pair})
    string(REGEX REPLACE ".*:" "" package ${pair})
    pkg_check_modules(PROVA_HAS_${module} QUIET ${module})
    if(NOT PROVA_HAS_${module}_FOUND)
        string(APPEND PROVA_MISSING " ${package}")
    endif()
endforeach()
if(PROVA_MISSING)
    message(FATAL_ERROR "prova needs libraries that are not here; on Debian: apt-get install${PROVA_MISSING}")
endif()

pkg_check_modules(ZMQ REQUIRED IMPORTED_TARGET libzmq>=4.3)
pkg_check_modules(CZMQ REQUIRED IMPORTED_TARGET libczmq>=4.2)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.35)
pkg_check_modules(GSL REQUIRED IMPORTED_TARGET gsl>=2.7)
pkg_check_modules(UUID REQUIRED IMPORTED_TARGET uuid)
pkg_check_modules(FYAML REQUIRED IMPORTED_TARGET libfyaml>=0.7)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson>=2.12)
pkg_check_modules(MSGPACK REQUIRED IMPORTED_TARGET msgpack>=3)
pkg_check_modules(OPENBLAS REQUIRED IMPORTED_TARGET openblas)
# GSL's pkg-config file names GSL's own CBLAS, a reference implementation that is 20 times slower: whichever stands first in
# the link serves everybody. OpenBLAS stands behind GSL instead.
get_target_property(gsl_libraries PkgConfig::GSL INTERFACE_LINK_LIBRARIES)
list(FILTER gsl_libraries EXCLUDE REGEX gslcblas)
set_target_properties(PkgConfig::GSL PROPERTIES INTERFACE_LINK_LIBRARIES "${gsl_libraries};PkgConfig::OPENBLAS")
option(PROVA_MPI "Build the module for trials over MPI, where MPI is found" ON)
if(PROVA_MPI AND NOT PROVA_SANITIZE MATCHES thread) # it would not see how MPI's own threads wait for each other
    find_package(MPI QUIET COMPONENTS C) # optional: without it runtime mpi says that it is not there
endif()
if(PROVA_TESTS)
    pkg_check_modules(CHECK REQUIRED IMPORTED_TARGET check>=0.15)
endif()
